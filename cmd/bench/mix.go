package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The users of a day, by number: the first ones have statements, and every user has a token.
const (
	mixRows     = 20 // of each statement
	mixMonths   = 12 // that statements are saved of
	mixSaved    = 6  // of which those are saved at the beginning
	mixSavers   = 25 // one of so many users has statements
	mixCallers  = 200
	mixVisitors = 20_000 // come in turn, each for a minute
	blockedUser = "user-blocked"
)

// mix is a day's traffic: who makes which requests.
type mix struct {
	jwts    []string // of the users
	blocked string   // the JWT of a user who is blocked
	admin   string   // the JWT of an operator
	callers []string // gateway tokens of the first users
	owner   string   // a gateway token of the user who has a forwarding address
	upload  uploadForm
	visits  atomic.Int64
	filled  int // rows of other users that were stored
	blocks  atomic.Int64
}

// kind is one kind of request.
type kind struct {
	name  string
	share int // of all shares
	make  func(m *mix, server string) (*http.Request, error)
	want  int // the status that is right; 0 for any 2xx
}

// kinds are those of a day, in the order in which they are printed.
var kinds = []kind{
	{name: "token, as before", share: 620, make: (*mix).token},
	{name: "new token", share: 20, make: (*mix).visit},
	{name: "token of a blocked user", share: 10, make: (*mix).refused, want: http.StatusForbidden},
	{name: "latest portfolio", share: 150, make: (*mix).latest},
	{name: "holdings", share: 70, make: (*mix).holdings},
	{name: "list of portfolios", share: 40, make: (*mix).list},
	{name: "save", share: 20, make: (*mix).save},
	{name: "upload", share: 5, make: (*mix).statement},
	{name: "gateway call, free", share: 40, make: (*mix).address},
	{name: "gateway call, credits", share: 10, make: (*mix).generate},
	{name: "operator's read", share: 10, make: (*mix).operate},
	{name: "revocation", share: 3, make: (*mix).revoke},
	{name: "block or unblock", share: 2, make: (*mix).block},
}

// cachedToken is the kind that the aim for the soak is about.
const cachedToken = "token, as before"

func (m *mix) savers() int { return max(len(m.jwts)/mixSavers, 1) }

// anyOf returns one of the first n JWTs.
func (m *mix) anyOf(n int) string { return m.jwts[rand.IntN(n)] } //nolint:gosec // no secret

// request returns a request with a bearer token.
func (m *mix) request(method, server, path, bearer string, body []byte) (*http.Request, error) {
	r, err := http.NewRequest(method, "http://"+server+path, bytes.NewReader(body)) //nolint:noctx // the caller adds one
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

func (m *mix) token(server string) (*http.Request, error) {
	return m.request(http.MethodPost, server, "/v1/token", m.anyOf(len(m.jwts)), nil)
}

// visit asks for a token of a minute, which has ended when the same user comes again. So each such token is
// a new one, and the brokers have no more users to remember after hours than after minutes.
func (m *mix) visit(server string) (*http.Request, error) {
	bearer, err := userToken("visitor-"+strconv.FormatInt(m.visits.Add(1)%mixVisitors, 10), nil)
	if err != nil {
		return nil, err
	}
	return m.request(http.MethodPost, server, "/v1/token", bearer, []byte(`{"expiry_minutes":1}`))
}

func (m *mix) refused(server string) (*http.Request, error) {
	return m.request(http.MethodPost, server, "/v1/token", m.blocked, nil)
}

func (m *mix) latest(server string) (*http.Request, error) {
	return m.request(http.MethodGet, server, "/v1/portfolios/latest", m.anyOf(m.savers()), nil)
}

func (m *mix) holdings(server string) (*http.Request, error) {
	return m.request(http.MethodGet, server, "/v1/holdings", m.anyOf(m.savers()), nil)
}

func (m *mix) list(server string) (*http.Request, error) {
	return m.request(http.MethodGet, server, "/v1/portfolios?limit=20", m.anyOf(m.savers()), nil)
}

func (m *mix) save(server string) (*http.Request, error) {
	user := rand.IntN(m.savers())                                                                                           //nolint:gosec // no secret
	return m.request(http.MethodPost, server, "/v1/portfolios", m.jwts[user], monthlyStatement(user, rand.IntN(mixMonths))) //nolint:gosec // no secret
}

// monthlyStatement returns the statement of a user for one of mixMonths.
func monthlyStatement(user, month int) []byte {
	to := time.Date(2023, time.Month(month+2), 0, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	return sampleStatement(user, mixRows, to)
}

func (m *mix) statement(server string) (*http.Request, error) {
	r, err := m.request(http.MethodPost, server, "/v1/statements", m.anyOf(m.savers()), m.upload.body)
	if err == nil {
		r.Header.Set("Content-Type", m.upload.contentType)
	}
	return r, err
}

func (m *mix) address(server string) (*http.Request, error) {
	r, err := m.request(http.MethodGet, server, "/gateway/v4/inbound-email/"+benchAddress, "", nil)
	return withAPIKey(r, m.owner), err
}

func (m *mix) generate(server string) (*http.Request, error) {
	r, err := m.request(http.MethodPost, server, "/gateway/v4/generate", "", []byte(generateBody))
	return withAPIKey(r, m.callers[rand.IntN(len(m.callers))]), err //nolint:gosec // no secret
}

// withAPIKey has r authenticated as calls of the vendor are.
func withAPIKey(r *http.Request, token string) *http.Request {
	if r != nil {
		r.Header.Del("Authorization")
		r.Header.Set("X-Api-Key", token)
	}
	return r
}

func (m *mix) operate(server string) (*http.Request, error) {
	user := "app:user-" + strconv.Itoa(rand.IntN(len(m.jwts))) //nolint:gosec // no secret
	paths := []string{
		"/admin/v1/audit?subject=" + user, "/admin/v1/audit?action=access.block", "/admin/v1/audit?limit=50", "/admin/v1/grants?subject=" + user,
		"/admin/v1/grants?state=active", "/admin/v1/users?prefix=" + user, "/admin/v1/users/" + user, "/admin/v1/stats",
	}
	return m.request(http.MethodGet, server, paths[rand.IntN(len(paths))], m.admin, nil) //nolint:gosec // no secret
}

// revoke revokes the tokens of a user who makes no calls through the gateway.
func (m *mix) revoke(server string) (*http.Request, error) {
	first := min(mixCallers, len(m.jwts)-1)
	user := first + rand.IntN(len(m.jwts)-first) //nolint:gosec // no secret
	return m.request(http.MethodPost, server, "/v1/token/revoke", m.jwts[user], nil)
}

// block blocks one of a hundred users who make no requests, or unblocks the one before.
func (m *mix) block(server string) (*http.Request, error) {
	n := m.blocks.Add(1)
	user := "/admin/v1/users/app:user-away-" + strconv.FormatInt(n/2%100, 10)
	if n%2 == 1 {
		return m.request(http.MethodPost, server, user+"/unblock", m.admin, nil)
	}
	return m.request(http.MethodPost, server, user+"/block", m.admin, []byte(`{"reason":"stolen phone"}`))
}

// userToken returns a JWT of subject with these roles.
func userToken(subject string, roles []string) (string, error) {
	now := time.Now()
	claims := struct {
		jwt.RegisteredClaims

		Roles []string `json:"roles,omitempty"`
	}{jwt.RegisteredClaims{
		Issuer: jwtIssuer, Audience: jwt.ClaimStrings{jwtAudience}, Subject: subject,
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}, roles}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		return "", fmt.Errorf("sign a JWT of %s: %w", strings.TrimSpace(subject), err)
	}
	return text, nil
}
