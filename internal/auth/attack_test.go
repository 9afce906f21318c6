package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signRaw signs a header and claims that no JWT library would write.
func signRaw(t testing.TB, header, claims string) string {
	t.Helper()
	signed := segment(header) + "." + segment(claims)
	signature, err := jwt.SigningMethodHS256.Sign(signed, sharedSecret())
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// changed returns token with one part replaced.
func changed(token string, part int, by string) string {
	parts := strings.Split(token, ".")
	parts[part] = by
	return strings.Join(parts, ".")
}

// respelt returns another last character of an HS256 signature that encodes the same
// byte, with unused bits that are not 0.
func respelt(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, last)
	return alphabet[i+1 : i+2]
}

// unissued returns a token without iat.
func unissued(t testing.TB, exp int64) string {
	t.Helper()
	claims := with("exp", exp)
	delete(claims, "iat")
	return signHS(t, claims)
}

const plainHeader = `{"alg":"HS256","typ":"JWT"}`

func TestForgedAndMalformedTokensAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	good := signHS(t, claimsOf("asha"))
	claims := asJSON(t, claimsOf("asha"))
	year9999 := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	for name, tt := range map[string]struct{ token, detail string }{
		"alg none, no signature":         {segment(`{"alg":"none"}`) + "." + segment(claims) + ".", "three base64url parts"},
		"alg none, old signature":        {changed(good, 0, segment(`{"alg":"none"}`)), "algorithm (alg)"},
		"alg in another case":            {signRaw(t, `{"alg":"hs256"}`, claims), "algorithm (alg)"},
		"alg None in another case":       {signRaw(t, `{"alg":"NoNe"}`, claims), "algorithm (alg)"},
		"no alg":                         {signRaw(t, `{"typ":"JWT"}`, claims), "algorithm (alg)"},
		"an algorithm that is not ours":  {sign(t, jwt.SigningMethodHS384, sharedSecret(), claimsOf("asha"), nil), "algorithm (alg)"},
		"another secret":                 {sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("k", 32)), claimsOf("asha"), nil), "signature"},
		"other claims, old signature":    {changed(good, 1, segment(strings.Replace(claims, "asha", "bela", 1))), "signature"},
		"a shortened signature":          {good[:len(good)-4], "signature"},
		"trailing dot":                   {good + ".", "three base64url parts"},
		"signature left off":             {good[:strings.LastIndex(good, ".")+1], "three base64url parts"},
		"signature in a second spelling": {good[:len(good)-1] + respelt(good[len(good)-1]), "three base64url parts"},
		"a line end inside":              {good[:20] + "\n" + good[20:], "three base64url parts"},
		"trailing garbage":               {good + "!", "three base64url parts"},
		"padding":                        {good + "=", "three base64url parts"},
		"two parts":                      {good[:strings.LastIndex(good, ".")], "three base64url parts"},
		"no parts":                       {"x", "three base64url parts"},
		"huge":                           {good + strings.Repeat("A", 16<<10), "longer than 16384 bytes"},
		"huge and rightly signed":        {signHS(t, with("x", strings.Repeat("A", 16<<10))), "longer than 16384 bytes"},

		"crit":                     {signRaw(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, claims), "critical extensions"},
		"empty crit":               {signRaw(t, `{"alg":"HS256","crit":[]}`, claims), "critical extensions"},
		"null crit":                {signRaw(t, `{"alg":"HS256","crit":null}`, claims), "critical extensions"},
		"header twice alg":         {signRaw(t, `{"alg":"none","alg":"HS256"}`, claims), "header is not"},
		"header is an array":       {signRaw(t, `[]`, claims), "header is not"},
		"kid is a number":          {signRaw(t, `{"alg":"HS256","kid":1}`, claims), "header is not"},
		"claims are a string":      {signRaw(t, plainHeader, `"x"`), "claims are not a JSON object"},
		"claims are null":          {signRaw(t, plainHeader, `null`), "no issuer"},
		"claims twice sub":         {signRaw(t, plainHeader, strings.Replace(claims, `"sub"`, `"sub":"root","sub"`, 1)), "distinct names"},
		"sub twice, once escaped":  {signRaw(t, plainHeader, strings.Replace(claims, `"sub"`, `"s\u0075b":"root","sub"`, 1)), "distinct names"},
		"trailing JSON":            {signRaw(t, plainHeader, claims+"{}"), "claims are not a JSON object"},
		"invalid UTF-8":            {signRaw(t, plainHeader, strings.Replace(claims, "asha", "as\xffha", 1)), "valid UTF-8"},
		"half a surrogate":         {signRaw(t, plainHeader, strings.Replace(claims, "asha", `as\ud800ha`, 1)), "valid UTF-8"},
		"claims in capitals":       {signRaw(t, plainHeader, strings.Replace(claims, `"sub"`, `"SUB"`, 1)), "subject (sub)"},
		"no issuer":                {signHS(t, without("iss")), "no issuer"},
		"wrong issuer":             {signHS(t, with("iss", "https://evil.example")), "issuer (iss)"},
		"issuer with slash":        {signHS(t, with("iss", issuer+"/")), "issuer (iss)"},
		"issuer array":             {signHS(t, with("iss", []string{issuer})), "claim iss"},
		"no audience":              {signHS(t, without("aud")), "no audience"},
		"wrong audience":           {signHS(t, with("aud", "another-app")), "audience (aud)"},
		"prefix of the audience":   {signHS(t, with("aud", audience+"-staging")), "audience (aud)"},
		"audiences, ours not":      {signHS(t, with("aud", []string{"a", "b"})), "audience (aud)"},
		"empty audience array":     {signHS(t, with("aud", []string{})), "no audience"},
		"audience array of others": {signHS(t, with("aud", []any{audience, 1})), "claim aud"},
		"audience is an object":    {signHS(t, with("aud", map[string]any{audience: true})), "claim aud"},

		"no exp":                {signHS(t, without("exp")), "no expiry"},
		"exp as string":         {signHS(t, with("exp", "4102444800")), "claim exp"},
		"exp null":              {signHS(t, with("exp", nil)), "claim exp"},
		"exp negative":          {signHS(t, with("exp", -1)), "claim exp"},
		"exp beyond all floats": {signRaw(t, plainHeader, `{"iss":"`+issuer+`","aud":"casbroker","sub":"asha","exp":1e999}`), "claim exp"},
		"exp beyond all dates":  {signHS(t, with("exp", 1e300)), "claim exp"},
		"exp in the year 9999":  {signHS(t, with("exp", year9999)), "lifetime is longer"},
		"exp in two days":       {signHS(t, with("exp", time.Now().Add(48*time.Hour).Unix())), "lifetime is longer"},
		"year 9999 without iat": {unissued(t, year9999), "lifetime is longer"},
		"two days without iat":  {unissued(t, time.Now().Add(48*time.Hour).Unix()), "lifetime is longer"},
		"long life by iat":      {signHS(t, with("iat", time.Now().Add(-24*time.Hour).Unix())), "lifetime is longer"},
		"expired":               {signHS(t, with("exp", time.Now().Add(-time.Second).Unix())), "expired"},
		"not yet valid":         {signHS(t, with("nbf", time.Now().Add(45*time.Second).Unix())), "not valid yet"},
		"nbf as string":         {signHS(t, with("nbf", "0")), "claim nbf"},
		"issued in the future":  {signHS(t, with("iat", time.Now().Add(45*time.Second).Unix())), "issued in the future"},

		"no sub":                      {signHS(t, without("sub")), "subject (sub)"},
		"empty sub":                   {signHS(t, with("sub", "")), "subject (sub)"},
		"sub as number":               {signHS(t, with("sub", 7)), "subject (sub) is a number"},
		"sub as boolean":              {signHS(t, with("sub", true)), "claim sub"},
		"sub as array":                {signHS(t, with("sub", []string{"asha"})), "claim sub"},
		"sub null":                    {signHS(t, with("sub", nil)), "subject (sub)"},
		"sub of 257 bytes":            {signHS(t, with("sub", strings.Repeat("a", 257))), "subject (sub)"},
		"sub with a line end":         {signHS(t, with("sub", "asha\nadmin")), "subject (sub)"},
		"sub with a NUL":              {signHS(t, with("sub", "asha\x00")), "subject (sub)"},
		"sub with a space at the end": {signHS(t, with("sub", "asha ")), "subject (sub)"},
		"sub with a text direction":   {signHS(t, with("sub", "asha\u202e")), "subject (sub)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := askWith(t, a, tt.token)
			if got.status != http.StatusUnauthorized || got.code != "invalid_token" || !strings.Contains(got.detail, tt.detail) {
				t.Errorf("got %+v, want 401 invalid_token saying %q", got, tt.detail)
			}
			if !strings.Contains(got.challenge, `error="invalid_token", error_description="`+got.detail+`"`) {
				t.Errorf("WWW-Authenticate %q", got.challenge)
			}
		})
	}
}

func TestTokensWithinTheRulesAreAccepted(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	now := time.Now()
	for name, tt := range map[string]struct{ token, subject string }{
		"audience array with ours": {signHS(t, with("aud", []string{"other", audience})), "demo:asha"},
		"sub of 256 bytes":         {signHS(t, with("sub", strings.Repeat("a", 256))), "demo:" + strings.Repeat("a", 256)},
		"sub in another script":    {signHS(t, with("sub", "आशा")), "demo:आशा"},
		"sub that looks prefixed":  {signHS(t, with("sub", "corp:asha")), "demo:corp:asha"},
		"nbf within the leeway":    {signHS(t, with("nbf", now.Add(20*time.Second).Unix())), "demo:asha"},
		"iat within the leeway":    {signHS(t, with("iat", now.Add(20*time.Second).Unix())), "demo:asha"},
		"exp with a fraction":      {signHS(t, with("exp", float64(now.Unix())+600.5)), "demo:asha"},
		"no iat":                   {signHS(t, without("iat")), "demo:asha"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := askWith(t, a, tt.token); got.body != tt.subject {
				t.Errorf("got %+v, want %q", got, tt.subject)
			}
		})
	}
}

func TestPublicKeyIsNotAcceptedAsHMACSecret(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withPublicKey(t, rsaKey().Public(), "RS256"))
	text := publicPEM(t, rsaKey().Public())
	for name, key := range map[string][]byte{"unchanged": text, "trimmed": []byte(strings.TrimSpace(string(text)))} {
		token := sign(t, jwt.SigningMethodHS256, key, claimsOf("asha"), nil)
		if got := askWith(t, a, token); got.code != "invalid_token" || !strings.Contains(got.detail, "algorithm") {
			t.Errorf("HS256 with the public key %s: %+v", name, got)
		}
	}
}

func TestKeyIDIsOnlyAName(t *testing.T) {
	t.Parallel()
	set := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	v := withKeySet(set.URL)
	a := newAuth(t, v)
	for _, kid := range []string{
		"../../../../dev/null", "/etc/passwd", "k1' OR '1'='1", "k1' UNION SELECT 'AA", "| id", "k1\x00", "",
		"https://evil.example/key",
	} {
		header := map[string]any{"kid": kid}
		for _, key := range [][]byte{{}, {0}, []byte("AA")} {
			token := sign(t, jwt.SigningMethodHS256, key, claimsOf("asha"), header)
			if got := askWith(t, a, token); got.code != "invalid_token" {
				t.Errorf("kid %q, HS256 with %q: %+v", kid, key, got)
			}
		}
		if got := askWith(t, a, sign(t, jwt.SigningMethodRS256, otherRSA(), claimsOf("asha"), header)); got.code != "invalid_token" {
			t.Errorf("kid %q, RS256: %+v", kid, got)
		}
	}
}

func TestKeysInTokenHeaderAreNeitherUsedNorFetched(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = w.Write([]byte(`{"keys":[` + jwk(t, otherRSA().Public(), "evil") + `]}`))
	}))
	t.Cleanup(evil.Close)
	set := newKeyServer(t, jwk(t, rsaKey().Public(), "k1"))
	a := newAuth(t, withKeySet(set.URL))
	for name, value := range map[string]any{
		"jku": evil.URL, "x5u": evil.URL,
		"jwk": json.RawMessage(jwk(t, otherRSA().Public(), "evil")),
		"x5c": []string{base64.StdEncoding.EncodeToString(publicPEM(t, otherRSA().Public()))},
	} {
		for _, kid := range []string{"evil", "k1"} {
			token := sign(t, jwt.SigningMethodRS256, otherRSA(), claimsOf("asha"), map[string]any{name: value, "kid": kid})
			if got := askWith(t, a, token); got.code != "invalid_token" {
				t.Errorf("%s with kid %s: %+v", name, kid, got)
			}
		}
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("got %d requests to the attacker's address, want none", n)
	}
}

func TestTokenInQueryIsIgnored(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	token := signHS(t, claimsOf("asha"))
	for _, name := range []string{"access_token", "token", "jwt"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/me?"+name+"="+token, nil)
		if got := ask(t, a, r); got.code != "unauthenticated" {
			t.Errorf("?%s=: %+v", name, got)
		}
	}
}

func TestErrorsDoNotRepeatTheToken(t *testing.T) {
	t.Parallel()
	a := newAuth(t, withSecret())
	const marker = "Zx9-marker"
	for _, token := range []string{
		signHS(t, with("iss", marker)), signHS(t, with("aud", marker)), signHS(t, with("sub", marker+"\n")),
		signRaw(t, `{"alg":"`+marker+`"}`, asJSON(t, claimsOf("asha"))), signRaw(t, plainHeader, `{"`+marker+`":}`),
		marker,
	} {
		got := askWith(t, a, token)
		if text := got.detail + got.challenge; strings.Contains(text, marker) {
			t.Errorf("%q repeats the token", text)
		}
		if _, err := a.Authenticate(t.Context(), token); err == nil || strings.Contains(err.Error(), marker) {
			t.Errorf("error %v", err)
		}
	}
}

func TestLeewayAndLifetimeAreSettings(t *testing.T) {
	t.Parallel()
	strict := withSecret()
	strict.Leeway, strict.MaxLifetime = 0, 10*time.Minute
	a := newAuth(t, strict)
	if got := askWith(t, a, signHS(t, claimsOf("asha"))); !strings.Contains(got.detail, "lifetime is longer") {
		t.Errorf("a token of 15 minutes: %+v", got)
	}
	soon := jwt.MapClaims{"nbf": time.Now().Add(10 * time.Second).Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	for name, value := range claimsOf("asha") {
		if _, set := soon[name]; !set {
			soon[name] = value
		}
	}
	if got := askWith(t, a, signHS(t, soon)); !strings.Contains(got.detail, "not valid yet") {
		t.Errorf("a token of the future without leeway: %+v", got)
	}
}
