// Command gateway is Rapport: a FHIR R4 interoperability gateway for
// psychotherapy. `gateway --help` lists what it does; the package's files are
// one subcommand each, and wire.go is where the parts meet.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Demo    demoCommand      `cmd:"" help:"Play a practice, a hospital and an EHR vendor on this machine; nothing to configure."`
	Serve   serveCommand     `cmd:"" help:"Run the gateway."`
	Check   checkCommand     `cmd:"" help:"Say what is wrong with a configuration, before anything starts."`
	Import  importCommand    `cmd:"" help:"Import an export of a practice system."`
	Map     mapCommand       `cmd:"" help:"Check a site file before it is used."`
	Token   tokenCommand     `cmd:"" help:"Print a token of the built-in issuer (development instances only)."`
	Outbox  outboxCommand    `cmd:"" help:"What goes to partners: list it, set it going again, drop it."`
	Dump    dumpCommand      `cmd:"" help:"Print all current resources as NDJSON (development instances only)."`
	Audit   auditCommand     `cmd:"" help:"List, verify and anchor the audit journal."`
	Keyring keyringCommand   `cmd:"" help:"Make or rotate the file of keys."`
	Key     clientKeyCommand `cmd:"" help:"Make a client's signing key and print its public half."`
	Bench   benchCommand     `cmd:"" help:"Measure a gateway on this machine, beside its web framework alone."`
	Version versionCommand   `cmd:"" help:"Print the version."`
}

// where says which instance a command works on.
type where struct {
	Config string `help:"Configuration file." type:"existingfile" placeholder:"FILE" xor:"where"`
	Data   string `help:"Folder of a development instance, made on first use." type:"path" placeholder:"DIR" xor:"where"`
}

func (w where) load() (*Config, error) {
	switch {
	case w.Config != "":
		return LoadConfig(w.Config)
	case w.Data != "":
		return Development(w.Data)
	}
	return nil, errors.New("say which instance: --config FILE, or --data DIR for a development one")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	k := kong.Parse(&c, kong.Name("gateway"),
		kong.Description("Rapport, a FHIR R4 gateway for psychotherapy."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}
