package store

import (
	"strconv"
	"strings"
)

// conditions is a WHERE clause in the making.
type conditions struct {
	parts []string
	args  []any
}

// equal wants column to be value, unless that is "".
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// add wants part, in which each question mark stands for the next of args.
func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, c.number(part, args...))
}

// number notes args and returns part with their numbers for its question marks.
func (c *conditions) number(part string, args ...any) string {
	for _, arg := range args {
		c.args = append(c.args, arg)
		part = strings.Replace(part, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	return part
}

// text returns the clause with its keyword, "" when nothing is wanted.
func (c *conditions) text() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}
