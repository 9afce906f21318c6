package portfolio

import (
	"mime"
	"regexp"
	"strconv"
	"strings"
)

// prefersCSV reports whether the Accept headers of a request ask for CSV rather
// than for JSON (RFC 9110, section 12.5.1). JSON is what nobody has to ask for: it
// answers a tie, and also a caller who takes neither.
func prefersCSV(accept []string) bool {
	asJSON, asCSV := wanted(accept, "application/json"), wanted(accept, "text/csv")
	if asCSV.quality == asJSON.quality { // such as "text/csv, */*": the one that was named
		return asCSV.quality > 0 && asCSV.precision > asJSON.precision
	}
	return asCSV.quality > asJSON.quality
}

// weight is how much a media type is wanted.
type weight struct {
	quality   float64 // from 0, not at all, to 1
	precision int     // of the range that says so: the more, the closer it names the type
}

// wanted returns what the most precise range that covers mediaType says of it.
func wanted(accept []string, mediaType string) weight {
	var best weight
	for _, element := range elements(strings.Join(accept, ",")) {
		w, ok := weigh(element, mediaType)
		if ok && (w.precision > best.precision || w.precision == best.precision && w.quality > best.quality) {
			best = w
		}
	}
	return best
}

// weigh reads one range with its q. It is false for one that does not cover
// mediaType, and for one that cannot be read.
func weigh(element, mediaType string) (weight, bool) {
	kind, parameters, err := mime.ParseMediaType(element)
	if err != nil {
		return weight{}, false
	}
	w := weight{quality: 1}
	if q, ok := parameters["q"]; ok {
		if w.quality, err = strconv.ParseFloat(q, 64); err != nil || !quality.MatchString(q) {
			return weight{}, false
		}
		delete(parameters, "q")
	}
	for name, value := range parameters {
		if given[name] == "" || !strings.EqualFold(given[name], value) {
			return weight{}, false
		}
	}
	major, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case mediaType:
		w.precision = 3 + len(parameters)
	case major + "/*":
		w.precision = 2
	case "*/*":
		w.precision = 1
	default:
		return weight{}, false
	}
	return w, true
}

// quality is the form of a q.
var quality = regexp.MustCompile(`^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$`)

// given has the parameters that a range may have and still cover our answers.
var given = map[string]string{"charset": "utf-8", "header": "present"}

// elements splits a list at its commas, but not at those within quotes.
func elements(list string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(list, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}
