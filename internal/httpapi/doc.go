// Package httpapi is what every HTTP handler shares: answers to errors, request
// bodies, cursors of lists, and downloads.
package httpapi
