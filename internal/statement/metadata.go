package statement

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// MaxMetadata is the largest metadata that is kept next to a statement, in bytes of
// compact JSON. The widget's has about 100.
const MaxMetadata = 4 << 10

// metadata reads what the widget says about the import.
func (p *parser) metadata(v value) {
	if !v.present() {
		return
	}
	text := v.compact(MaxMetadata)
	if v.kind() != '{' || text == nil {
		p.warn(v, codeMetadata, "The metadata is not kept next to the portfolio, since it is not an object of at most %d bytes.", MaxMetadata)
		return
	}
	if len(text) > len("{}") {
		p.s.Metadata = text
	}
}

// compact returns the text of the member v without white space, nil if that has more than
// limit bytes.
func (v value) compact(limit int) []byte {
	n := v.node()
	rest := v.doc.text[n.name+uint32(n.nameLength)+1:] // after the name and its quote
	rest = rest[bytes.IndexByte(rest, ':')+1:]
	d := jsontext.NewDecoder(bytes.NewBuffer(rest), jsontext.AllowDuplicateNames(true)) // parseDocument has found none
	text, err := d.ReadValue()
	if err != nil || len(text) > 16*limit { // white space, too
		return nil
	}
	text = text.Clone()
	if err := text.Compact(); err != nil || len(text) > limit {
		return nil
	}
	return text
}

// MetadataWarnings returns the warnings about the metadata that came with s.
func (s *Statement) MetadataWarnings() (list []fault.Field) {
	for _, w := range s.Warnings {
		if w.Code == codeMetadata {
			list = append(list, w)
		}
	}
	return list
}
