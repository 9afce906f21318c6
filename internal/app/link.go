package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"casbroker/internal/access"
	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/config"
	"casbroker/internal/link"
	"casbroker/internal/ratelimit"
	"casbroker/internal/secret"
	"casbroker/internal/server"
	"casbroker/internal/store"
	"casbroker/web"
)

// endLinksEvery is how often links are looked for that are over.
const endLinksEvery = 20 * time.Second

// maxLogo is the greatest size of a logo, in bytes.
const maxLogo = 200 << 10

// newLinks returns what makes and opens hosted links, nil if the settings have none.
func newLinks(c config.Config, db *store.DB, box *secret.Box, rights *access.Service, log *slog.Logger, now func() time.Time) *link.Service {
	if c.Link.Name == "" {
		return nil
	}
	urls, _ := link.ParseReturnURLs(c.Link.ReturnURLs) // checkLinks has found them valid
	return &link.Service{
		Store: db, Sessions: db, Access: rights.Watcher, Digest: box.Digest, ReturnURLs: urls, Features: c.Gateway.Features, Log: log, Now: now,
		RevokeGrant: func(ctx context.Context, grantID string) error {
			_, err := rights.RevokeGrant(ctx, auth.Principal{Subject: audit.Broker}, grantID)
			if errors.Is(err, access.ErrNoGrant) {
				return nil
			}
			return err
		},
	}
}

// mountLinks mounts the page of links and its calls, if there are links.
func mountLinks(router *server.Router, c config.Config, links *link.Service, limits *ratelimit.Limiter, tokens link.Tokens, portfolios link.Portfolios) error {
	if links == nil {
		return nil
	}
	brand, err := brandOf(c.Link)
	if err != nil {
		return err
	}
	page, err := link.NewPage(web.Link, brand, widgetOrigin(c.Web))
	if err != nil {
		return err
	}
	router.Mount("", nil, page)
	router.Mount(link.PagePath, []server.Middleware{limits.LimitAuthFailures(link.ErrUnknown)})
	router.Mount("", nil, &link.SessionHandler{
		Links: links, Tokens: tokens, Portfolios: portfolios, LimitRead: limits.Middleware(ratelimit.Read), LimitSave: limits.Middleware(ratelimit.Save),
	})
	return nil
}

// linkJobs returns the jobs of links, none without links.
func linkJobs(links *link.Service) []job {
	if links == nil {
		return nil
	}
	return []job{{name: "end links", every: endLinksEvery, atStart: true, do: links.Run}}
}

// checkLinks returns what is wrong with the settings of links.
func checkLinks(c config.Link) error {
	var wrong []error
	for i, text := range c.ReturnURLs {
		if _, err := link.ParseReturnURLs([]string{text}); err != nil {
			wrong = append(wrong, fmt.Errorf("link.return_urls[%d]: %w", i, err))
		}
	}
	if _, err := brandOf(c); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// brandOf returns how the page of links looks.
func brandOf(c config.Link) (link.Brand, error) {
	b := link.Brand{
		Name: c.Name, Color: c.Color, ColorDark: c.ColorDark, Background: config.LinkBackgroundDark, NoticeEN: c.Notice.English, NoticeHI: c.Notice.Hindi,
	}
	switch {
	case c.Logo == "":
	case config.IsURL(c.Logo):
		b.LogoURL = c.Logo
	default:
		info, err := os.Stat(c.Logo)
		if err == nil && info.Size() > maxLogo {
			return b, fmt.Errorf("link.logo: %s has %d bytes; want at most %d, since phones load it", c.Logo, info.Size(), maxLogo)
		}
		if b.Logo, err = os.ReadFile(c.Logo); err != nil {
			return b, fmt.Errorf("link.logo: %w", err)
		}
		b.LogoName = filepath.Base(c.Logo)
	}
	return b, nil
}

// widgetOrigin returns the URL of the widget's script if it is the vendor's, "" if it is the
// broker's own.
func widgetOrigin(w config.Web) string {
	if w.StandIn {
		return ""
	}
	return w.WidgetURL
}
