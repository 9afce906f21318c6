package link

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"casbroker/internal/netaddr"
)

// ReturnURLs are the URLs at or below which a link may send the person at the end.
type ReturnURLs []*url.URL

// scripts are the schemes of URLs that no page may open.
var scripts = []string{"javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source", "ws", "wss", "mailto", "tel", "sms"}

var errReturnURL = errors.New("want a URL such as https://app.example/done or myapp://done, without user, query and fragment; http is for this machine only")

// ParseReturnURLs reads the list of the settings. Its error names the first wrong element.
func ParseReturnURLs(list []string) (urls ReturnURLs, err error) {
	for _, text := range list {
		u, ok := parseReturnURL(text)
		if !ok || u.RawQuery != "" {
			return nil, errors.Join(errReturnURL, errors.New(text))
		}
		urls = append(urls, u)
	}
	return urls, nil
}

// parseReturnURL returns the URL that a page may open, if text is one.
func parseReturnURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxReturnURL || strings.ContainsAny(text, "\\#\t\r\n ") || u.Opaque != "" || u.User != nil || u.Scheme == "" || u.Host == "" {
		return nil, false
	}
	if slices.Contains(scripts, u.Scheme) || u.Scheme == "http" && !netaddr.IsLoopback(u.Hostname()) {
		return nil, false
	}
	u.Host = strings.ToLower(u.Host)
	return u, true
}

// allow reports whether text is at or below one of urls: with the same scheme and host, and the
// path or a path below it. Its query does not matter.
func (urls ReturnURLs) allow(text string) bool {
	u, ok := parseReturnURL(text)
	if !ok {
		return false
	}
	escaped := u.EscapedPath()
	// A server may decode, and go up from, what is compared here as it is.
	if strings.Contains(escaped, "%2") || strings.Contains(escaped, "//") || strings.Contains(escaped, "..") || strings.Contains(escaped+"/", "/./") || !utf8.ValidString(u.Path) {
		return false
	}
	return slices.ContainsFunc(urls, func(allowed *url.URL) bool {
		base := strings.TrimSuffix(allowed.EscapedPath(), "/")
		below := strings.TrimSuffix(escaped, "/") == base || strings.HasPrefix(escaped, base+"/")
		return u.Scheme == allowed.Scheme && u.Host == allowed.Host && below
	})
}
