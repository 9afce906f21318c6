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
	fetchTimeout = 5 * time.Second // for one request to an issuer, from connecting to the last byte
	maxDocument  = 1 << 20         // bytes of a key set or discovery document
	maxRedirects = 3
)

// keyFetcher fetches the key set of one issuer.
type keyFetcher struct {
	client *http.Client
	url    string // of the key set; "" if it must be discovered
	issuer string // the "iss" claim
}

func newKeyFetcher(base *http.Client, s Verifier) *keyFetcher {
	var client http.Client
	if base != nil {
		client = *base
	}
	if client.Timeout == 0 {
		client.Timeout = fetchTimeout
	}
	client.CheckRedirect = sameHost
	return &keyFetcher{client: &client, url: s.JWKSURL, issuer: s.Issuer}
}

// sameHost refuses redirects to another host or scheme, and long chains of them.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirected to another host or scheme")
	}
	return nil
}

// fetch returns the key set document. Its URL is discovered each time, so that an issuer
// may move it.
func (f *keyFetcher) fetch(ctx context.Context) ([]byte, error) {
	address := f.url
	if address == "" {
		found, err := f.discover(ctx)
		if err != nil {
			return nil, err
		}
		address = found
	}
	return f.get(ctx, address)
}

// discover returns the issuer's jwks_uri (OpenID Connect Discovery 1.0, section 4).
func (f *keyFetcher) discover(ctx context.Context) (string, error) {
	body, err := f.get(ctx, strings.TrimSuffix(f.issuer, "/")+"/.well-known/openid-configuration")
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
	if document.Issuer != f.issuer {
		return "", fmt.Errorf("discovery document is that of issuer %q", document.Issuer)
	}
	if err := checkURL(document.JWKS); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return document.JWKS, nil
}

func (f *keyFetcher) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := f.client.Do(req)
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

// checkURL accepts https URLs, and http URLs of this machine: an attacker who can change
// a key set in transit can sign in as any user.
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
		return errors.New("want https, or http to this machine")
	}
}
