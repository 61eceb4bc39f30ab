package main

import (
	"fmt"

	"rapport/policy/keyring"
	"rapport/policy/token"
)

type keyringCommand struct {
	Create keyringCreate `cmd:"" help:"Make a new keyring."`
	Rotate keyringRotate `cmd:"" help:"Add a key and make it the active one; restart the gateways that use the file."`
}

type keyringCreate struct {
	File string `arg:"" type:"path" help:"Where to write it; it must not be there yet."`
}

func (k keyringCreate) Run() error {
	if _, err := keyring.Create(k.File); err != nil {
		return err
	}
	fmt.Printf("%s made. Back it up apart from the data: without it process notes are lost, with it and the data nothing is secret.\n", k.File)
	return nil
}

type keyringRotate struct {
	File string `arg:"" type:"existingfile"`
}

func (k keyringRotate) Run() error {
	_, err := keyring.Rotate(k.File)
	return err
}

type clientKeyCommand struct {
	File string `arg:"" type:"path" help:"Where to write the private key (a JWK); it must not be there yet."`
	ID   string `help:"Key id." default:"1"`
}

// Run makes a key with which a backend, or this gateway at a partner's, signs its client
// assertions, and prints the public half for registration.
func (c clientKeyCommand) Run() error {
	key, err := token.GenerateSigningKey(c.ID)
	if err != nil {
		return err
	}
	if err := key.WriteFile(c.File); err != nil {
		return err
	}
	set, err := key.JWKS()
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", set)
	return nil
}
