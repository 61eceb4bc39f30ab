package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// xaes is XAES-256-GCM: AES-256-GCM under a key derived from the first 12 of 24
// nonce bytes.
//
// Source: https://c2sp.org/XAES-256-GCM
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

const xaesNonce = 24

func newXAES(key [KeySize]byte) *xaes {
	block, err := aes.NewCipher(key[:])
	if err != nil { // only for a wrong size
		panic("keyring: " + err.Error())
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:]) // L = AES(0); K1 = L doubled in GF(2^128), as in CMAC
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- {
		next := x.k1[i] >> 7
		x.k1[i] = x.k1[i]<<1 | carry
		carry = next
	}
	x.k1[len(x.k1)-1] ^= carry * 0b1000_0111
	return x
}

func (x *xaes) aead(nonce []byte) cipher.AEAD {
	key := make([]byte, 0, 2*aes.BlockSize)
	for i := byte(1); i <= 2; i++ {
		m := [aes.BlockSize]byte{0, i, 'X', 0}
		copy(m[4:], nonce[:12])
		subtle.XORBytes(m[:], m[:], x.k1[:])
		x.block.Encrypt(m[:], m[:])
		key = append(key, m[:]...)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("keyring: " + err.Error())
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic("keyring: " + err.Error())
	}
	return g
}

func (x *xaes) seal(to, nonce, plaintext, aad []byte) []byte {
	return x.aead(nonce).Seal(to, nonce[12:], plaintext, aad)
}

func (x *xaes) open(nonce, sealed, aad []byte) ([]byte, error) {
	return x.aead(nonce).Open(nil, nonce[12:], sealed, aad)
}
