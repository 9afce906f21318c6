package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"casbroker/internal/config"
	"casbroker/internal/secret"
)

// LostKey is an encryption key whose file cannot be used. Values encrypted with it cannot
// be read until the file is back.
type LostKey struct {
	ID   string
	File string
	Err  error
}

// LostKeys returns the encryption keys of the settings that cannot be used. The broker
// starts without them: the first key, which it needs, is never among them.
func LostKeys(c config.Config) []LostKey {
	_, lost, _ := readKeys(c.Seal)
	return lost
}

// readKeys returns c with the keys read from their files and without those that are lost.
// It is an error if the first is lost: nothing could be encrypted.
func readKeys(c config.Seal) (config.Seal, []LostKey, error) {
	var lost []LostKey
	var wrong []error
	keys := make([]config.SealKey, 0, len(c.Keys))
	for i, k := range c.Keys {
		if k.File == "" || k.Key != "" { // Validate reports keys that have both
			keys = append(keys, k)
			continue
		}
		text, err := readKey(k.File)
		switch {
		case err != nil && i == 0:
			wrong = append(wrong, fmt.Errorf("seal.keys[0].file: the first key is needed to start: %w", err))
		case err != nil:
			lost = append(lost, LostKey{ID: k.ID, File: k.File, Err: err})
		case text == c.HashKey:
			wrong = append(wrong, fmt.Errorf("seal.keys[%d].file: want a key different from seal.hash_key", i))
		default:
			keys = append(keys, config.SealKey{ID: k.ID, Key: text})
		}
	}
	c.Keys = keys
	return c, lost, errors.Join(wrong...)
}

// readKey returns the base64 text of the key in the file at path.
func readKey(path string) (secret.Text, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	text := secret.Text(strings.TrimSpace(string(b)))
	if _, err := config.DecodeKey(text); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// logLostKeys logs each lost key.
func logLostKeys(log *slog.Logger, lost []LostKey) {
	for _, k := range lost {
		log.Error("an encryption key cannot be used; values encrypted with it are unreadable until its file is back",
			"key_id", k.ID, "file", k.File, "error", k.Err)
	}
}

// errKeyInUse is why an encryption key is not replaced by another one in the same file.
var errKeyInUse = errors.New("the file has another key, which is not used: what was encrypted could not be read; give the new key a file and an id of its own")

// addSealKeys adds the files of encryption keys to s: the keys that are lost are used once
// their files are back, and the others stay what they are. keys are those in use.
func (s *secretFiles) addSealKeys(all []config.SealKey, keys []config.SealKey, hashKey secret.Text, box *secret.Box) {
	for i, k := range all {
		if k.File == "" {
			continue
		}
		f := &secretFile{setting: fmt.Sprintf("seal.keys[%d].file", i), path: k.File, trimmed: true}
		if at := slices.IndexFunc(keys, func(used config.SealKey) bool { return used.ID == k.ID }); at >= 0 {
			f.value = keys[at].Key
		}
		f.valid = func(value secret.Text) error {
			_, err := config.DecodeKey(value)
			switch {
			case err != nil:
				return err
			case f.value != "":
				return errKeyInUse
			case value == hashKey:
				return errors.New("want a key different from seal.hash_key")
			}
			return nil
		}
		s.add(func(values []secret.Text) error {
			key, err := config.DecodeKey(values[0])
			if err != nil {
				return err
			}
			return box.Add(secret.Key{ID: k.ID, Secret: key})
		}, f)
	}
}

// newBox makes the Box of settings that readKeys returned.
func newBox(c config.Seal) (*secret.Box, error) {
	hash, err := config.DecodeKey(c.HashKey)
	if err != nil {
		return nil, fmt.Errorf("seal.hash_key: %w", err)
	}
	keys := make([]secret.Key, 0, len(c.Keys))
	for i, k := range c.Keys {
		key, err := config.DecodeKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("seal.keys[%d].key: %w", i, err)
		}
		keys = append(keys, secret.Key{ID: k.ID, Secret: key})
	}
	return secret.NewBox(hash, keys...)
}
