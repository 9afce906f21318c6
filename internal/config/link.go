package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casbroker/internal/check"
)

// Link configures hosted links.
type Link struct {
	Name       string     `yaml:"name"`       // of the app, "" for no links
	Color      string     `yaml:"color"`      // of buttons and links on white
	ColorDark  string     `yaml:"color_dark"` // the same on a dark page
	Logo       string     `yaml:"logo"`       // a file, or a URL with https; "" for none
	Notice     LinkNotice `yaml:"notice"`
	ReturnURLs []string   `yaml:"return_urls"`
}

// LinkNotice says what is stored and why; "" for the text of the broker.
type LinkNotice struct {
	English string `yaml:"en"`
	Hindi   string `yaml:"hi"`
}

// Limits of the settings of links, in bytes.
const (
	maxLinkName   = 60
	maxLinkNotice = 1500
)

// The backgrounds of the page, which web/link/page.css has, and the contrast of text on them
// that WCAG 2.2 wants at level AA.
const (
	LinkBackground     = "#ffffff"
	LinkBackgroundDark = "#1b1e25"
	minContrast        = 4.5
)

// logoTypes are the extensions of logo files.
var logoTypes = []string{".png", ".svg", ".jpg", ".jpeg", ".webp"}

var colorPattern = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func (l Link) validate(wrong *check.Errors, mode string) {
	visible := !strings.ContainsFunc(l.Name, func(r rune) bool { return r < ' ' })
	wrong.Require(len(l.Name) <= maxLinkName && visible && strings.TrimSpace(l.Name) == l.Name, "link.name", "want at most %d bytes of text without spaces at its ends", maxLinkName)
	wrong.Require(l.Name == "" || mode != ModeDirect, "link.name", `want "" with token.mode direct: hosted links use the gateway`)
	checkColor(wrong, "link.color", l.Color, LinkBackground)
	checkColor(wrong, "link.color_dark", l.ColorDark, LinkBackgroundDark)
	if err := checkLogo(l.Logo); err != nil {
		wrong.Add("link.logo", "%s", err)
	}
	for _, n := range []struct{ key, text string }{{"en", l.Notice.English}, {"hi", l.Notice.Hindi}} {
		wrong.Require(len(n.text) <= maxLinkNotice, "link.notice."+n.key, "want at most %d bytes", maxLinkNotice)
	}
	wrong.Require((l.Notice.English == "") == (l.Notice.Hindi == ""), "link.notice", "want a text in both languages, or in none")
}

func checkColor(wrong *check.Errors, key, color, background string) {
	if !colorPattern.MatchString(color) {
		wrong.Add(key, "want a color such as #1d4ed8, in lower case, not %q", color)
		return
	}
	if c := contrast(color, background); c < minContrast {
		wrong.Add(key, "%s has a contrast of %.2f on %s; people need %.1f to read it", color, c, background, minContrast)
	}
}

// IsURL reports whether a logo is a URL, and not a file.
func IsURL(logo string) bool { return strings.Contains(logo, "://") }

func checkLogo(logo string) error {
	if !IsURL(logo) {
		if logo != "" && !slices.Contains(logoTypes, strings.ToLower(path.Ext(logo))) {
			return fmt.Errorf("want a file with one of the extensions %s", strings.Join(logoTypes, ", "))
		}
		return nil
	}
	u, err := url.Parse(logo)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(logo, "\"'<>;, \\") {
		return errors.New("want a file, or a URL with https such as https://app.example/logo.svg")
	}
	return nil
}

// contrast returns the contrast of two colors, 1 to 21, as WCAG defines it.
func contrast(a, b string) float64 {
	light, dark := luminance(a), luminance(b)
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

// luminance returns the relative luminance of a color such as #1d4ed8, 0 to 1.
func luminance(color string) float64 {
	weights, sum := [3]float64{0.2126, 0.7152, 0.0722}, 0.0
	for i, weight := range weights {
		n, _ := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8) // it matches colorPattern
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
