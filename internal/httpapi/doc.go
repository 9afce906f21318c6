// Package httpapi has what all HTTP handlers share: error answers and their dialects,
// request bodies, parameters, cursors of lists, and downloads.
package httpapi
