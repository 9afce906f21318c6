package console

import (
	"bytes"
	"fmt"
	"net/http"

	"casbroker/internal/httpapi"
)

// headerRefresh is sent by a page that refreshes itself. The answer has only its parts, and of
// these only the ones whose ETag is not in If-None-Match.
const headerRefresh = "X-Refresh"

// part is a part of a page that is refreshed by itself: the element whose data-refresh is name.
type part struct {
	name     string // letters and hyphens
	template string
	data     any
}

// refreshable is the body of a page with parts.
type refreshable interface{ parts() []part }

// renderParts returns the parts that r does not name in If-None-Match. Each is in a template
// element, with its name and ETag.
func (t templates) renderParts(page string, parts []part, r *http.Request) ([]byte, error) {
	var all, one bytes.Buffer
	for _, p := range parts {
		one.Reset()
		if err := t[page].ExecuteTemplate(&one, p.template, p.data); err != nil {
			return nil, fmt.Errorf("part %s of page %s: %w", p.name, page, err)
		}
		tag := httpapi.TagOf(one.Bytes())
		if httpapi.HasTag(r, tag) {
			continue
		}
		fmt.Fprintf(&all, "<template data-part=%q data-etag='%s'>", p.name, tag)
		all.Write(one.Bytes())
		all.WriteString("</template>\n")
	}
	return all.Bytes(), nil
}
