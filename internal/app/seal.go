package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"casbroker/internal/config"
	"casbroker/internal/secret"
)

// LostKey is a sealing key whose file cannot be used. What it sealed cannot be read
// until the file is back.
type LostKey struct {
	ID   string
	File string
	Err  error
}

// LostKeys returns the sealing keys of the settings without which the broker starts
// all the same: they are not the first.
func LostKeys(c config.Config) []LostKey {
	_, lost, _ := readKeys(c.Seal)
	return lost
}

// readKeys returns the settings with the keys of files in the place of the files,
// and without those that are lost. Without the first nothing could be sealed, so
// that is an error.
func readKeys(c config.Seal) (config.Seal, []LostKey, error) {
	var lost []LostKey
	var wrong []error
	keys := make([]config.SealKey, 0, len(c.Keys))
	for i, k := range c.Keys {
		if k.File == "" || k.Key != "" { // with both, the settings are wrong anyway
			keys = append(keys, k)
			continue
		}
		text, err := readKey(k.File)
		switch {
		case err != nil && i == 0:
			wrong = append(wrong, fmt.Errorf("seal.keys[0].file: the key that seals is needed to start: %w", err))
		case err != nil:
			lost = append(lost, LostKey{ID: k.ID, File: k.File, Err: err})
		case text == c.HashKey:
			wrong = append(wrong, fmt.Errorf("seal.keys[%d].file: want another key than seal.hash_key", i))
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

// warnOfLost tells the operator of each lost key.
func warnOfLost(log *slog.Logger, lost []LostKey) {
	for _, k := range lost {
		log.Error("a sealing key cannot be used; what it sealed is unreadable until its file is back",
			"key_id", k.ID, "file", k.File, "error", k.Err)
	}
}

// newBox makes the box of settings that readKeys has been through.
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
