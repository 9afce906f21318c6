package config_test

import (
	"strings"
	"testing"

	"casbroker/internal/config"
)

func TestSettingsOfLinksAreChecked(t *testing.T) {
	t.Parallel()
	c := valid()
	c.Link = config.Link{
		Name: " Example ", Color: "#8ab4ff", ColorDark: "blue", Logo: "logo.exe", Notice: config.LinkNotice{English: strings.Repeat("x", 1501)},
	}
	err := c.Validate()
	for _, want := range []string{
		"link.name: want at most", `link.name: want "" with token.mode direct`, "link.color: #8ab4ff has a contrast of 2.09 on #ffffff", "link.color_dark: want a color",
		"link.logo: want a file with one of the extensions", "link.notice.en: want at most", "link.notice: want a text in both",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for logo, ok := range map[string]bool{
		"": true, "logo.svg": true, "/etc/app/Logo.PNG": true, "https://app.example/logo": true,
		"http://app.example/logo.png": false, "https://u@app.example/x.png": false, "https://app.example/a; script-src *": false, "ftp://x/y.png": false,
	} {
		c := valid()
		c.Token.Mode, c.Link.Name, c.Link.Logo = config.ModeGateway, "Example", logo
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%q: got %v, want valid: %t", logo, err, ok)
		}
	}
}
