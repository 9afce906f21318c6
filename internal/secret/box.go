package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// KeySize is the length of every key, in bytes: AES-256 and HMAC-SHA-256.
const KeySize = 32

// The failures of a Box.
var (
	ErrUnknownKey = errors.New("sealed under a key that is not configured")
	ErrOpen       = errors.New("sealed data is damaged or belongs elsewhere")
)

// Key is one sealing key.
type Key struct {
	ID     string // 1 to 32 bytes, stands in clear beside what it sealed
	Secret Text   // KeySize bytes
}

// Box seals data at rest with AES-256-GCM. The first key seals, all keys open,
// so a key is rotated by putting a new one in front. It is safe for concurrent
// use.
type Box struct {
	keys    []*boxKey
	hashKey []byte
}

type boxKey struct {
	id      string
	aead    cipher.AEAD
	dropped atomic.Bool
}

// NewBox makes a Box of one or more keys with distinct ids. hashKey, KeySize
// bytes, is for Digest and has to stay the same for as long as digests are kept.
func NewBox(hashKey Text, keys ...Key) (*Box, error) {
	if len(hashKey) != KeySize {
		return nil, fmt.Errorf("hash key: want %d bytes, not %d", KeySize, len(hashKey))
	}
	if len(keys) == 0 {
		return nil, errors.New("no sealing key")
	}
	b := &Box{hashKey: []byte(hashKey.Reveal())}
	for _, k := range keys {
		if err := b.add(k); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *Box) add(k Key) error {
	if len(k.ID) < 1 || len(k.ID) > 32 {
		return fmt.Errorf("sealing key id %q: want 1 to 32 bytes", k.ID)
	}
	if slices.Contains(b.IDs(), k.ID) {
		return fmt.Errorf("sealing key id %q stands twice", k.ID)
	}
	if len(k.Secret) != KeySize {
		return fmt.Errorf("sealing key %q: want %d bytes, not %d", k.ID, KeySize, len(k.Secret))
	}
	block, err := aes.NewCipher([]byte(k.Secret.Reveal()))
	if err != nil {
		return fmt.Errorf("sealing key %q: %w", k.ID, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return fmt.Errorf("sealing key %q: %w", k.ID, err)
	}
	b.keys = append(b.keys, &boxKey{id: k.ID, aead: aead})
	return nil
}

// IDs returns the ids of all keys that the Box was made of, the one that seals first.
func (b *Box) IDs() []string {
	ids := make([]string, 0, len(b.keys))
	for _, k := range b.keys {
		ids = append(ids, k.id)
	}
	return ids
}

// Drop has the Box open nothing more that bears id, as if that key were not there.
// It is false when there is no such key or it was dropped before. The first key
// cannot be dropped.
func (b *Box) Drop(id string) bool {
	i := slices.Index(b.IDs(), id)
	return i > 0 && b.keys[i].dropped.CompareAndSwap(false, true)
}

func (b *Box) find(id string) cipher.AEAD {
	i := slices.IndexFunc(b.keys, func(k *boxKey) bool { return k.id == id && !k.dropped.Load() })
	if i < 0 {
		return nil
	}
	return b.keys[i].aead
}

// Seal encrypts plain under the first key. place says where the result will be
// kept ("portfolio/pf_1/raw"); Open must be given the same, so a sealed value
// that was moved elsewhere does not open.
func (b *Box) Seal(place string, plain []byte) []byte {
	k, mark := b.keys[0], b.Mark()
	out := make([]byte, 0, len(mark)+len(plain)+k.aead.Overhead())
	out = append(out, mark...)
	return k.aead.Seal(out, nil, plain, []byte(place)) //nolint:gosec // the AEAD makes the nonce
}

// Open returns what was sealed for place. It fails with ErrUnknownKey or ErrOpen.
func (b *Box) Open(place string, sealed []byte) ([]byte, error) {
	id, ok := KeyID(sealed)
	if !ok {
		return nil, ErrOpen
	}
	aead := b.find(id)
	if aead == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	plain, err := aead.Open(nil, nil, sealed[1+len(id):], []byte(place))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Mark returns how all that is sealed under the first key begins, and nothing else.
func (b *Box) Mark() []byte {
	id := b.keys[0].id
	return append([]byte{byte(len(id))}, id...) //nolint:gosec // add keeps it to 32
}

// KeyID returns the id of the key that sealed is sealed under.
func KeyID(sealed []byte) (string, bool) {
	if len(sealed) == 0 || sealed[0] == 0 || len(sealed) < 1+int(sealed[0]) {
		return "", false
	}
	return string(sealed[1 : 1+int(sealed[0])]), true
}

// Digest returns a keyed hash of data (HMAC-SHA-256, 32 bytes), with which sealed
// values can be compared. Digests for different purposes have nothing in common.
func (b *Box) Digest(purpose string, data []byte) []byte {
	m := hmac.New(sha256.New, b.hashKey)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write(data)
	return m.Sum(nil)
}
