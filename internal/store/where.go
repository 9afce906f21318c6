package store

import (
	"strconv"
	"strings"
)

// conditions collects the conditions of a WHERE clause.
type conditions struct {
	parts []string
	args  []any
}

// equal requires column to equal value, unless that is "".
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// add requires part, in which each question mark stands for the next of args.
func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, c.number(part, args...))
}

// number appends args and returns part with numbered placeholders for its question marks.
func (c *conditions) number(part string, args ...any) string {
	for _, arg := range args {
		c.args = append(c.args, arg)
		part = strings.Replace(part, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	return part
}

// text returns the clause with its keyword, or "" without conditions.
func (c *conditions) text() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}
