package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"casbroker/internal/netaddr"
)

const (
	loadTimeout  = 5 * time.Second // of one call to an issuer, connect to last byte
	maxDocument  = 1 << 20         // bytes of a key set or discovery document
	maxRedirects = 3
)

// issuer fetches the key set of one verifier.
type issuer struct {
	client *http.Client
	jwks   string // where the key set is, "" if that has to be discovered
	name   string // the "iss"
}

func newIssuer(base *http.Client, s Verifier) *issuer {
	var client http.Client
	if base != nil {
		client = *base
	}
	if client.Timeout == 0 {
		client.Timeout = loadTimeout
	}
	client.CheckRedirect = sameHost
	return &issuer{client: &client, jwks: s.JWKSURL, name: s.Issuer}
}

// sameHost lets a redirect stay on the host that was configured, and on https.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirected to another host or scheme")
	}
	return nil
}

// keySet returns the key set as it is served. Where it is gets discovered anew
// each time, so that an issuer may move it.
func (i *issuer) keySet(ctx context.Context) ([]byte, error) {
	where := i.jwks
	if where == "" {
		found, err := i.discover(ctx)
		if err != nil {
			return nil, err
		}
		where = found
	}
	return i.get(ctx, where)
}

// discover returns the issuer's jwks_uri (OpenID Connect Discovery 1.0, section 4).
func (i *issuer) discover(ctx context.Context) (string, error) {
	body, err := i.get(ctx, strings.TrimSuffix(i.name, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return "", fmt.Errorf("discovery document: %w", err)
	}
	if document.Issuer != i.name {
		return "", fmt.Errorf("discovery document is that of issuer %q", document.Issuer)
	}
	if err := checkURL(document.JWKS); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return document.JWKS, nil
}

func (i *issuer) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := i.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: status %d", address, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("read %s: longer than %d bytes", address, maxDocument)
	}
	return body, nil
}

// checkURL takes https anywhere, and http only within this machine: whoever can
// change a key set on its way can sign in as anybody.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("want an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("want a URL without user or fragment")
	case u.Scheme == "https" || u.Scheme == "http" && netaddr.IsLoopback(u.Hostname()):
		return nil
	default:
		return errors.New("want https (http only to this machine)")
	}
}
