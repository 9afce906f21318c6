package config

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes, written as 10MiB, 512KiB or 4096.
type Size int64

// invalidSize marks a value that could not be parsed. It is outside the range of every
// setting, so that Validate reports it with its key, which UnmarshalText does not know.
const invalidSize Size = -1

// UnmarshalText parses a size. It sets invalidSize for other texts and for more than
// 8 EiB; the error is always nil.
func (s *Size) UnmarshalText(text []byte) error {
	*s = invalidSize
	if n, err := humanize.ParseBytes(string(text)); err == nil && n <= math.MaxInt64 {
		*s = Size(n)
	}
	return nil
}

// MarshalText writes the size in the largest unit in which it is a whole number.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []struct {
		bytes Size
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if s >= u.bytes && s%u.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", s/u.bytes, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%d", int64(s)), nil
}
