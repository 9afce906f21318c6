package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errLimit = usageError{errors.New("--limit: want 1 or more")}

// list is a paginated list at a broker.
type list struct {
	path    string
	query   url.Values
	member  string // the member of an answer that has the rows
	maxPage int    // the largest page
}

// each calls show for each page, up to limit rows in total.
func (c *client) each(ctx context.Context, l list, limit int, show func(rows []jsontext.Value) error) error {
	for left := limit; ; {
		l.query.Set("limit", strconv.Itoa(min(left, l.maxPage)))
		answer, err := c.ask(ctx, http.MethodGet, l.path+"?"+l.query.Encode(), nil)
		if err != nil {
			return err
		}
		rows, next, err := l.read(answer)
		if err != nil {
			return err
		}
		rows = rows[:min(left, len(rows))]
		if err := show(rows); err != nil {
			return err
		}
		if left -= len(rows); left == 0 || next == "" || len(rows) == 0 {
			return nil
		}
		l.query.Set("cursor", next)
	}
}

// read returns the rows of a page and the cursor of the next page, "" at the end.
func (l list) read(answer jsontext.Value) (rows []jsontext.Value, next string, err error) {
	page, err := membersOf(answer)
	if err != nil {
		return nil, "", err
	}
	list, cursor := page[l.member], page["next_cursor"]
	if list.Kind() != '[' {
		return nil, "", formError{fmt.Errorf("it has no list of %s", l.member)}
	}
	if cursor.Kind() != 'n' && cursor.Kind() != '"' {
		return nil, "", formError{errors.New("it does not say whether there are more")}
	}
	if err := errors.Join(json.Unmarshal(list, &rows), json.Unmarshal(cursor, &next)); err != nil {
		return nil, "", formError{err}
	}
	for _, row := range rows {
		if row.Kind() != '{' {
			return nil, "", formError{fmt.Errorf("not all of its %s are objects", l.member)}
		}
	}
	return rows, next, nil
}

// printLine prints v on one line.
func printLine(w io.Writer, v jsontext.Value) error {
	if err := v.Compact(); err != nil {
		return formError{err}
	}
	_, err := fmt.Fprintf(w, "%s\n", v)
	return err
}

// printLines prints an object per line, for scripts, with all members of the broker's
// answer, even those that this program does not know.
func printLines(w io.Writer) func(rows []jsontext.Value) error {
	return func(rows []jsontext.Value) error {
		for _, row := range rows {
			if err := printLine(w, row); err != nil {
				return err
			}
		}
		return nil
	}
}

// printTable prints rows for people, under a line with the names of the columns.
func printTable[Row any](out io.Writer, columns string, cells func(Row) []string) func(rows []jsontext.Value) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.ReplaceAll(columns, " ", "\t")) // a tabwriter buffers until Flush
	return func(rows []jsontext.Value) error {
		for _, row := range rows {
			var r Row
			if err := json.Unmarshal(row, &r); err != nil {
				return formError{err}
			}
			line := cells(r)
			for i, cell := range line {
				line[i] = strings.Map(printable, cell)
			}
			_, _ = fmt.Fprintln(w, strings.Join(line, "\t"))
		}
		return w.Flush()
	}
}

// printable replaces control characters, so that data cannot control the terminal.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '?'
	}
	return r
}

// printObject prints an answer, which must be an object, on one line.
func printObject(t *Terminal, answer jsontext.Value) error {
	if _, err := membersOf(answer); err != nil {
		return err
	}
	return printLine(t.Out, answer)
}

// printMember prints an answer as JSON, or the list that is one of its members as a table.
func printMember[Row any](t *Terminal, answer jsontext.Value, asJSON bool, member, columns string, cells func(Row) []string) error {
	if asJSON {
		return printObject(t, answer)
	}
	members, err := membersOf(answer)
	if err != nil {
		return err
	}
	var rows []jsontext.Value
	if members[member].Kind() != '[' || json.Unmarshal(members[member], &rows) != nil {
		return formError{errNoList}
	}
	return printTable(t.Out, columns, cells)(rows)
}
