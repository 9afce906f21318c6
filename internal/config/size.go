package config

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes, written as 10MiB, 512KiB or 4096.
type Size int64

// noSize is what was given as a size and is none. No setting takes it, so that
// Validate can name its key, which a decoder cannot.
const noSize Size = -1

// UnmarshalText reads a size. What is none, or is past 8 EiB, becomes noSize.
func (s *Size) UnmarshalText(text []byte) error {
	*s = noSize
	if n, err := humanize.ParseBytes(string(text)); err == nil && n <= math.MaxInt64 {
		*s = Size(n)
	}
	return nil
}

// MarshalText writes the size as people write it where that is exact, else in bytes.
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
