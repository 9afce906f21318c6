package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// KeySize is the length of every key, in bytes: AES-256 and HMAC-SHA-256.
const KeySize = 32

// Open returns these errors.
var (
	ErrUnknownKey = errors.New("the data was encrypted with a key that is not configured")
	ErrOpen       = errors.New("the data is corrupt or was encrypted with other associated data")
)

// RandomKey returns KeySize bytes from the system's random generator, for a new key
// or secret. It needs no error: crypto/rand ends the program if the generator fails.
func RandomKey() Text {
	b := make([]byte, KeySize)
	_, _ = rand.Read(b)
	return Text(b)
}

// Key is one encryption key.
type Key struct {
	ID     string // 1 to 32 bytes, stored in clear in front of each ciphertext
	Secret Text   // KeySize bytes
}

// Box encrypts stored data with AES-256-GCM. The first key is the primary key: it
// encrypts, and all keys decrypt, so a key is rotated by putting a new one in front.
// A Box is safe for concurrent use.
//
// A ciphertext is one byte with the length of the key id, the id, the nonce (12
// bytes), the encrypted data and its tag (16 bytes).
type Box struct {
	all     atomic.Pointer[[]*boxKey] // replaced, not changed
	adding  sync.Mutex
	hashKey []byte
}

func (b *Box) keys() []*boxKey { return *b.all.Load() }

type boxKey struct {
	id       string
	aead     cipher.AEAD
	disabled atomic.Bool
}

// NewBox returns a Box of one or more keys with distinct ids. hashKey is the key of
// Digest: KeySize bytes that must not change as long as digests are stored.
func NewBox(hashKey Text, keys ...Key) (*Box, error) {
	if len(hashKey) != KeySize {
		return nil, fmt.Errorf("hash key: want %d bytes, not %d", KeySize, len(hashKey))
	}
	if len(keys) == 0 {
		return nil, errors.New("no sealing key")
	}
	b := &Box{hashKey: []byte(hashKey.Reveal())}
	b.all.Store(&[]*boxKey{})
	for _, k := range keys {
		if err := b.Add(k); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Add adds a key that decrypts, too. Its id must not be that of another one.
func (b *Box) Add(k Key) error {
	b.adding.Lock()
	defer b.adding.Unlock()
	if len(k.ID) < 1 || len(k.ID) > 32 {
		return fmt.Errorf("sealing key id %q: want 1 to 32 bytes", k.ID)
	}
	if slices.Contains(b.IDs(), k.ID) {
		return fmt.Errorf("sealing key id %q is used twice", k.ID)
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
	list := append(slices.Clip(b.keys()), &boxKey{id: k.ID, aead: aead})
	b.all.Store(&list)
	return nil
}

// IDs returns the ids of all keys, the primary key first.
func (b *Box) IDs() []string {
	keys := b.keys()
	ids := make([]string, 0, len(keys))
	for _, k := range keys {
		ids = append(ids, k.id)
	}
	return ids
}

// Disable disables key id for decryption: Open then returns ErrUnknownKey for it. It
// returns false for an unknown key, a key that is disabled already and the primary
// key, which cannot be disabled.
func (b *Box) Disable(id string) bool {
	keys := b.keys()
	i := slices.IndexFunc(keys, func(k *boxKey) bool { return k.id == id })
	return i > 0 && keys[i].disabled.CompareAndSwap(false, true)
}

// find returns the cipher of key id, nil if the key is unknown or disabled.
func (b *Box) find(id string) cipher.AEAD {
	for _, k := range b.keys() {
		if k.id == id && !k.disabled.Load() {
			return k.aead
		}
	}
	return nil
}

// Seal encrypts plain with the primary key. associatedData names where the ciphertext
// is stored ("portfolio/pf_1/raw"). Open needs the same value, so a ciphertext that
// was copied to another record does not open.
func (b *Box) Seal(associatedData string, plain []byte) []byte {
	k, prefix := b.keys()[0], b.Prefix()
	out := make([]byte, 0, len(prefix)+len(plain)+k.aead.Overhead())
	out = append(out, prefix...)
	return k.aead.Seal(out, nil, plain, []byte(associatedData)) //nolint:gosec // the AEAD makes the nonce
}

// Open decrypts a ciphertext that Seal made with the same associatedData. It returns
// ErrUnknownKey or ErrOpen.
func (b *Box) Open(associatedData string, sealed []byte) ([]byte, error) {
	id, ok := KeyID(sealed)
	if !ok {
		return nil, ErrOpen
	}
	aead := b.find(id)
	if aead == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	plain, err := aead.Open(nil, nil, sealed[1+len(id):], []byte(associatedData))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Prefix returns the prefix of every ciphertext made with the primary key. No other
// ciphertext has it, so it finds the rows that a rotation has to encrypt again.
func (b *Box) Prefix() []byte {
	id := b.keys()[0].id
	return append([]byte{byte(len(id))}, id...) //nolint:gosec // add limits it to 32
}

// KeyID returns the id of the key that sealed was encrypted with, false if sealed is
// not a ciphertext of a Box.
func KeyID(sealed []byte) (string, bool) {
	if len(sealed) == 0 || sealed[0] == 0 || len(sealed) < 1+int(sealed[0]) {
		return "", false
	}
	return string(sealed[1 : 1+int(sealed[0])]), true
}

// Digest returns a keyed hash of data (HMAC-SHA-256, 32 bytes), by which encrypted
// values can be found and compared. Equal data has different digests for different
// purposes.
func (b *Box) Digest(purpose string, data []byte) []byte {
	m := hmac.New(sha256.New, b.hashKey)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write(data)
	return m.Sum(nil)
}
