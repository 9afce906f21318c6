package netaddr_test

import (
	"testing"

	"casbroker/internal/netaddr"
)

func TestOriginsAreThoseThatBrowsersSend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example": "https://app.example", "https://app.example:443": "https://app.example",
		"https://app.example/": "https://app.example", "HTTPS://App.Example": "https://app.example",
		"http://localhost:3000": "http://localhost:3000", "http://localhost:80": "http://localhost", "http://app.example:": "http://app.example",
		"http://[::1]:8080": "http://[::1]:8080", "https://app.example:80": "https://app.example:80",
		"capacitor://localhost": "capacitor://localhost", "ionic://localhost": "ionic://localhost", "tauri://localhost": "tauri://localhost",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop": "chrome-extension://abcdefghijklmnopabcdefghijklmnop",

		"null": "", "": "", "*": "", "https://*.app.example": "", "https://app.example/page": "", "https://app.example//": "",
		"https://app.example?": "", "https://app.example/?x": "", "https://app.example#x": "", "https://user@app.example": "", "app.example": "", "//app.example": "",
		"file://": "", "about:blank": "", "https://": "", "https://büro.example": "", "https://app.example:x": "",
	} {
		if got, ok := netaddr.Origin(text); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", text, got, ok, want)
		}
	}
}
