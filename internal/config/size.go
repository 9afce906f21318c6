package config

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes, written as 10MiB, 512KiB or 4096.
type Size int64

// UnmarshalText reads a size; it fails for what is none or is past 8 EiB.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("want a size such as 10MiB, not %q", text)
	}
	*s = Size(n) //nolint:gosec // checked above
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
