package auth

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"time"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// The bounds and defaults of a Verifier.
const (
	DefaultMaxLifetime = 24 * time.Hour // of a token
	MaxLeeway          = 60 * time.Second
	DefaultRefresh     = 10 * time.Minute // between two loads of a key set
	DefaultMaxKeyAge   = 24 * time.Hour   // of a key set that cannot be loaded again
)

// AudienceClaims returns the choices of Verifier.AudienceClaim: "client_id" is in access
// tokens that follow RFC 9068, "azp" in those of OpenID Connect.
func AudienceClaims() []string { return []string{"aud", "client_id", "azp"} }

// maxNameSize is the maximum size of a verifier's name, in bytes.
const maxNameSize = 32

var verifierName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Verifier holds the settings of one issuer whose tokens are accepted. Exactly one of
// Secret, Secrets, PublicKeyPEM, JWKSURL and OIDC must be set; it is the source of the keys.
type Verifier struct {
	Name     string   // [a-z0-9-]{1,32}, unique: the first part of every Subject
	Issuer   string   // the "iss" of its tokens, unique among the verifiers
	Audience []string // one of these must be in AudienceClaim; required
	// AudienceClaim is the claim that says whom a token is for, one of AudienceClaims; ""
	// means "aud". Tokens without it are refused. With another one, a token that has "aud",
	// too, must have one of Audience there as well.
	AudienceClaim string
	Algorithms    []string // the accepted ones; required; see Algorithms

	Secret       secret.Text   // for HS256 (32 bytes or more), HS384 (48), HS512 (64)
	Secrets      []secret.Text // several of these, all of which verify, while one is replaced
	PublicKeyPEM []byte        // one public key: RSA of 2048 bits or more, EC or Ed25519
	JWKSURL      string        // https, or http to this machine
	OIDC         bool          // the key set is named by {Issuer}/.well-known/openid-configuration

	// NumericSubject accepts tokens whose "sub" is a whole number, 0 or more. Its digits are
	// the subject, the same as that of the text.
	NumericSubject bool

	MaxLifetime time.Duration // of a token, from iat (if it has one) and from now to exp; 0 means DefaultMaxLifetime
	Leeway      time.Duration // for nbf and iat, 0 to MaxLeeway; exp is exact
	Refresh     time.Duration // between two loads of a key set; 0 means DefaultRefresh
	MaxKeyAge   time.Duration // how long the last key set is used while none can be loaded; 0 means DefaultMaxKeyAge
	Roles       Roles

	// ActsFor are the names of the verifiers for whose users its services may act; none
	// for nobody.
	ActsFor []string
}

// verifier is the compiled form of a Verifier.
type verifier struct {
	name        string
	index       uint16
	audience    []string
	partyClaim  string // "" if only "aud" counts
	numeric     bool   // "sub" may be a number
	algorithms  []algorithm
	keys        keySource
	maxLifetime int64 // seconds
	leeway      int64 // seconds
	roles       roleMapping
}

// keySource provides the keys of a verifier.
type keySource interface {
	// find returns the keys that verify tokens with alg and kid ("" for none), mostly one,
	// and the generation of the keys. Its errors are faults.
	find(ctx context.Context, alg, kid string) ([]any, uint32, error)
	// current reports whether tokens that were verified with keys of this generation still
	// count at now, in unix seconds.
	current(generation uint32, now int64) bool
	// ready returns nil if there are keys that count at now, and why not otherwise.
	ready(now int64) error
	// start keeps the keys fresh until ctx ends. It does not block.
	start(ctx context.Context)
}

// build validates the settings, whose key is key, and returns the verifier.
func (s Verifier) build(wrong *check.Errors, key string, opts Options) *verifier {
	s.MaxLifetime = cmp.Or(s.MaxLifetime, DefaultMaxLifetime)
	s.Refresh = cmp.Or(s.Refresh, DefaultRefresh)
	s.MaxKeyAge = cmp.Or(s.MaxKeyAge, DefaultMaxKeyAge)
	s.AudienceClaim = cmp.Or(s.AudienceClaim, claimAud)
	wrong.Require(verifierName.MatchString(s.Name), key+".name", "want 1 to 32 of a-z, 0-9 and -, not %q", s.Name)
	wrong.Require(s.Issuer != "", key+".issuer", "required")
	wrong.Require(len(s.Audience) > 0, key+".audience", "required: the %s claim of tokens that are meant for this broker", s.AudienceClaim)
	wrong.Require(slices.Contains(AudienceClaims(), s.AudienceClaim), key+".audience_claim", "want one of %v, not %q", AudienceClaims(), s.AudienceClaim)
	wrong.Require(!slices.Contains(s.Audience, ""), key+".audience", "an audience is empty")
	wrong.Require(s.MaxLifetime >= time.Second, key+".max_lifetime", "want a second or more, not %s", s.MaxLifetime)
	wrong.Require(s.Leeway >= 0 && s.Leeway <= MaxLeeway, key+".leeway", "want 0s to %s, not %s", MaxLeeway, s.Leeway)
	wrong.Require(s.Refresh >= time.Second, key+".refresh", "want a second or more, not %s", s.Refresh)
	wrong.Require(s.MaxKeyAge >= s.Refresh, key+".max_key_age", "want %s (refresh) or more, not %s", s.Refresh, s.MaxKeyAge)
	s.Roles.check(wrong, key+".roles")
	algs := s.checkAlgorithms(wrong, key+".algorithms")
	party := s.AudienceClaim
	if party == claimAud {
		party = ""
	}
	return &verifier{
		name:        s.Name,
		audience:    s.Audience,
		partyClaim:  party,
		numeric:     s.NumericSubject,
		algorithms:  algs,
		keys:        s.source(wrong, key, algs, opts),
		maxLifetime: int64(s.MaxLifetime / time.Second),
		leeway:      int64(s.Leeway / time.Second),
		roles:       s.Roles.compile(),
	}
}

func (s Verifier) checkAlgorithms(wrong *check.Errors, key string) []algorithm {
	wrong.Require(len(s.Algorithms) > 0, key, "required: list the algorithms that the issuer signs with")
	var algs []algorithm
	for _, name := range s.Algorithms {
		alg, ok := algorithms[name]
		switch {
		case !ok:
			wrong.Add(key, "%q is not one of %v", name, Algorithms())
		case alg.symmetric() && !s.hasSecret():
			wrong.Add(key, "%s needs secret", name)
		case !alg.symmetric() && s.hasSecret():
			wrong.Add(key, "%s cannot be used with secret", name)
		default:
			algs = append(algs, alg)
		}
	}
	return algs
}

func (s Verifier) hasSecret() bool { return s.Secret != "" || len(s.Secrets) > 0 }

// source returns the source of the keys. It adds an error unless exactly one is set.
func (s Verifier) source(wrong *check.Errors, key string, algs []algorithm, opts Options) keySource {
	sources := 0
	for _, given := range []bool{s.Secret != "", len(s.Secrets) > 0, len(s.PublicKeyPEM) > 0, s.JWKSURL != "", s.OIDC} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		wrong.Add(key, "want exactly one of secret, secrets, public_key_file, jwks_url and oidc, not %d", sources)
		return nil
	}
	switch {
	case s.hasSecret():
		return fixedSecrets(wrong, key, s, algs)
	case len(s.PublicKeyPEM) > 0:
		return fixedPublicKey(wrong, key+".public_key_file", s.PublicKeyPEM, algs)
	case s.OIDC:
		requireURL(wrong, key+".issuer", s.Issuer)
	default:
		requireURL(wrong, key+".jwks_url", s.JWKSURL)
	}
	return newRemoteKeys(s, algs, opts)
}

// verify makes every check of t except that of its issuer.
func (v *verifier) verify(ctx context.Context, t token, now time.Time) (entry, error) {
	i := slices.IndexFunc(v.algorithms, func(a algorithm) bool { return a.name() == t.header.Algorithm })
	if i < 0 {
		return entry{}, errAlgorithm
	}
	keys, generation, err := v.keys.find(ctx, t.header.Algorithm, t.header.KeyID)
	if err != nil {
		return entry{}, err
	}
	if err := verifySignature(v.algorithms[i], t, keys); err != nil {
		return entry{}, errSignature.Because(err)
	}
	if err := v.check(&t.claims, now.Unix()); err != nil {
		return entry{}, err
	}
	who := &Principal{Subject: v.name + ":" + t.claims.Subject.text}
	who.Roles, who.Scopes = v.roles.of(t.claims.Rest)
	return entry{who: who, expires: t.claims.Expires.at, verifier: v.index, generation: generation}, nil
}

// verifySignature returns nil if one of keys, of which there is at least one, made the
// signature of t.
func verifySignature(alg algorithm, t token, keys []any) (err error) {
	for _, key := range keys {
		if err = alg.method.Verify(t.signed, t.signature, key); err == nil {
			return nil
		}
	}
	return err
}

// requireURL adds an error about key if checkURL refuses address.
func requireURL(wrong *check.Errors, key, address string) {
	if err := checkURL(address); err != nil {
		wrong.Add(key, "%v", err)
	}
}
