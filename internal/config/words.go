package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// words returns what the value v of the setting called key means, as a text for people:
// "15 minutes", "10 MiB", "off".
func words(key string, v reflect.Value) string {
	if v.Kind() == reflect.Slice && v.Len() == 0 || v.IsZero() && v.Kind() != reflect.Bool {
		return zeroWords(key, v)
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationWords(x)
	case Size:
		return sizeWords(x)
	case bool:
		if x {
			return "on"
		}
		return "off"
	case int:
		return humanize.Comma(int64(x))
	}
	if isSecret(v.Type()) && format(v) == "[secret]" {
		return "set, not shown"
	}
	if n, unit, ok := strings.Cut(format(v), "-"); ok && rateUnits[unit] != "" && strings.HasPrefix(key, "ratelimit.") {
		return n + " per " + rateUnits[unit]
	}
	return format(v)
}

// rateUnits are the units of rate limits.
var rateUnits = map[string]string{"S": "second", "M": "minute", "H": "hour", "D": "day"}

// zeroWords returns what it means that the setting called key is 0 or empty.
func zeroWords(key string, v reflect.Value) string {
	name := key[strings.LastIndexByte(key, '.')+1:]
	number := v.CanInt()
	switch {
	case strings.HasPrefix(key, "retention."):
		return "kept until deleted"
	case strings.HasPrefix(key, "ratelimit."), number && (name == "rate" || strings.HasPrefix(name, "max_") ||
		strings.HasSuffix(name, "timeout") || name == "deadline"):
		return "no limit"
	case number && (strings.HasPrefix(name, "min_") || name == "leeway"):
		return "none"
	case number:
		return "off"
	}
	return "not set"
}

// sizeWords returns s in the largest unit in which it is a whole number: "10 MiB".
func sizeWords(s Size) string {
	text := format(reflect.ValueOf(s))
	if number := strings.TrimRight(text, "KMGiB"); number != text {
		return number + " " + text[len(number):]
	}
	return humanize.Comma(int64(s)) + " bytes"
}

// durationWords returns d in words, in days and smaller units: "1 day 12 hours".
func durationWords(d time.Duration) string {
	var parts []string
	rest := d
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{
		{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}, {time.Millisecond, "millisecond"},
	} {
		n := rest / unit.length
		rest -= n * unit.length
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit.name)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit.name))
		}
	}
	if rest != 0 || d < 0 {
		return d.String()
	}
	return strings.Join(parts, " ")
}

// The sources of a setting.
const (
	FromDefault     = "default"
	FromEnvironment = "environment"
	FromFile        = "file"
	FromProgram     = "program" // a flag, or the demo
)

// Source returns where the value of e comes from. environ has the form of os.Environ, and
// hasFile says whether there is a settings file. A value that is that of Default is from there,
// even if it is also in the file.
func (e Entry) Source(environ []string, hasFile bool) string {
	name := Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(e.Key))
	for _, line := range environ {
		variable, _, _ := strings.Cut(line, "=")
		if variable == name || variable == name+fileSuffix {
			return FromEnvironment
		}
	}
	switch {
	case e.Default:
		return FromDefault
	case hasFile:
		return FromFile
	default:
		return FromProgram
	}
}
