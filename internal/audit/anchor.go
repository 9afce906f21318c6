package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/base32"
	"errors"
	"regexp"
	"time"

	"github.com/go-json-experiment/json"

	"casbroker/internal/secret"
)

// tagSize is how many bytes of a MAC are in a State.
const tagSize = 8

// State is how long each chain was at one moment: that of the writer with number n is at
// index n-1.
type State []Length

// Length is how long one chain was.
type Length struct {
	Seq int64  `json:"seq"` // of the newest entry, 0 without any
	Tag []byte `json:"tag"` // the start of its MAC
}

// NewState returns the State of the chains with these heads, which are ordered by number.
func NewState(heads []Head) State {
	var s State
	for _, h := range heads {
		for int64(len(s)) < h.Number {
			s = append(s, Length{}) // a missing writer, which Verify reports
		}
		s[h.Number-1] = Length{Seq: h.Seq, Tag: h.MAC[:min(tagSize, len(h.MAC))]}
	}
	return s
}

// Encode returns s as JSON, the form of Head.Links.
func (s State) Encode() []byte { return encode(s) }

// Anchor is the State at a time, sealed, to be kept outside of the database. It shows
// whether a database is older than the Anchor.
type Anchor struct {
	At    time.Time `json:"at"`
	State State     `json:"state"`
	Seal  []byte    `json:"seal"` // keyed hash over the rest
}

// ErrAnchor is returned for a text that is not an anchor of a broker with these keys.
var ErrAnchor = errors.New("no valid audit anchor: it is cut short, was changed, or was made with another key")

// anchorEncoding has letters and digits only, so that no part of an anchor looks like a
// credential, which logs would hide.
var anchorEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// anchorPrefix is the start of an anchor as text.
const anchorPrefix = "anchor1."

// NewAnchor returns the Anchor of the chains with these heads, which are ordered by number.
func NewAnchor(box *secret.Box, at time.Time, heads []Head) Anchor {
	a := Anchor{At: at.UTC().Truncate(time.Millisecond), State: NewState(heads)}
	a.Seal = a.sum(box)
	return a
}

// NewAnchor returns the Anchor of all chains as they are.
func (s *Service) NewAnchor(ctx context.Context, at time.Time) (Anchor, error) {
	var heads []Head
	for number := int64(0); ; {
		page, err := s.Chains.Heads(ctx, number, headPage)
		if err != nil {
			return Anchor{}, err
		}
		for _, h := range page {
			heads, number = append(heads, h.Head), h.Number
		}
		if len(page) < headPage {
			return NewAnchor(s.Box, at, heads), nil
		}
	}
}

func (a Anchor) sum(box *secret.Box) []byte {
	a.Seal = nil
	return box.Digest("audit anchor", encode(a))
}

// String returns the anchor as one word, "anchor1.…".
func (a Anchor) String() string {
	return anchorPrefix + anchorEncoding.EncodeToString(encode(a))
}

// parseAnchor is the reverse of String. It returns ErrAnchor.
func parseAnchor(box *secret.Box, text string) (a Anchor, err error) {
	plain, err := anchorEncoding.DecodeString(text[len(anchorPrefix):])
	if err == nil {
		err = json.Unmarshal(plain, &a)
	}
	if err != nil || !hmac.Equal(a.Seal, a.sum(box)) {
		return a, ErrAnchor
	}
	return a, nil
}

var anchorPattern = regexp.MustCompile(`anchor1\.[a-z0-9]*`)

// Anchors returns the anchors in text, such as a file of anchors or a log. It returns
// ErrAnchor if one of them is not valid, or if there are none.
func Anchors(box *secret.Box, text []byte) ([]Anchor, error) {
	var list []Anchor
	for _, found := range anchorPattern.FindAll(text, -1) {
		a, err := parseAnchor(box, string(found))
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, ErrAnchor
	}
	return list, nil
}

// matches reports whether a MAC is the one that l was made of.
func (l Length) matches(mac []byte) bool {
	return bytes.Equal(l.Tag, mac[:min(tagSize, len(mac))])
}
