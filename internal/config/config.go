// Package config has the settings: defaults, then a YAML file, then the
// environment, each over the one before. Unknown keys are refused, and all faults
// are reported at once, each naming its key. Rules that belong to a room (what a
// verifier or a rate may be) are checked by that room when the program is wired.
package config

import (
	"time"

	"casbroker/internal/secret"
)

// Config is all settings. config/broker.yaml explains each key.
type Config struct {
	Server    Server    `yaml:"server"`
	Log       Log       `yaml:"log"`
	Upstream  Upstream  `yaml:"upstream"`
	Auth      Auth      `yaml:"auth"`
	Token     Token     `yaml:"token"`
	Access    Access    `yaml:"access"`
	Cache     Cache     `yaml:"cache"`
	Store     Store     `yaml:"store"`
	Seal      Seal      `yaml:"seal"`
	RateLimit RateLimit `yaml:"ratelimit"`
	Portfolio Portfolio `yaml:"portfolio"`
	Audit     Audit     `yaml:"audit"`
	Retention Retention `yaml:"retention"`
	Admin     Admin     `yaml:"admin"`
	Web       Web       `yaml:"web"`
}

// Server is the HTTP listener.
type Server struct {
	Address           string        `yaml:"address"`         // host:port
	MetricsAddress    string        `yaml:"metrics_address"` // host:port, "" for none
	TrustedProxies    []string      `yaml:"trusted_proxies"` // networks (CIDR) whose X-Forwarded-For is believed
	AllowedOrigins    []string      `yaml:"allowed_origins"` // exact origins that CORS lets in
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	WriteTimeout      time.Duration `yaml:"write_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	DrainDelay        time.Duration `yaml:"drain_delay"`   // between not being ready and taking no more
	DrainTimeout      time.Duration `yaml:"drain_timeout"` // for requests under way at the end
}

// Log is what is logged, and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
}

// Upstream is the vendor.
type Upstream struct {
	URL      string        `yaml:"url"`
	APIKey   secret.Text   `yaml:"api_key"`  // sent as x-api-key
	Timeout  time.Duration `yaml:"timeout"`  // of one call, connect to last byte
	Deadline time.Duration `yaml:"deadline"` // of all tries together
	Attempts int           `yaml:"attempts"`
}

// Auth says whose tokens are taken.
type Auth struct {
	Cookie         string     `yaml:"cookie"`          // "" for none
	TrustedOrigins []string   `yaml:"trusted_origins"` // may change things by cookie
	CacheSize      Size       `yaml:"cache_size"`      // for verified tokens; 0 for none
	Verifiers      []Verifier `yaml:"verifiers"`
}

// Verifier is one issuer of user tokens.
type Verifier struct {
	Name          string        `yaml:"name"`
	Issuer        string        `yaml:"issuer"`
	Audience      []string      `yaml:"audience"`
	Algorithms    []string      `yaml:"algorithms"`
	Secret        secret.Text   `yaml:"secret"`
	PublicKeyFile string        `yaml:"public_key_file"`
	JWKSURL       string        `yaml:"jwks_url"`
	OIDC          bool          `yaml:"oidc"`
	MaxLifetime   time.Duration `yaml:"max_lifetime"`
	Leeway        time.Duration `yaml:"leeway"`
	Refresh       time.Duration `yaml:"refresh"`
	Roles         Roles         `yaml:"roles"`
}

// Roles maps claims to roles.
type Roles struct {
	Claims  []string `yaml:"claims"`
	User    []string `yaml:"user"`
	Service []string `yaml:"service"`
	Admin   []string `yaml:"admin"`
}

// Token is how access tokens are handed out.
type Token struct {
	Lifetime     time.Duration `yaml:"lifetime"`
	MinRemaining time.Duration `yaml:"min_remaining"`
}

// The choices of access.when_stale.
const (
	WhenStaleRefuse = "refuse"
	WhenStaleServe  = "serve"
)

// Access is how blocks and revocations come to be known.
type Access struct {
	Poll         time.Duration `yaml:"poll"`          // between two looks at the database
	MaxStaleness time.Duration `yaml:"max_staleness"` // how old the last good look may be
	WhenStale    string        `yaml:"when_stale"`    // WhenStaleRefuse or WhenStaleServe
}

// Cache is where tokens and counters are kept for speed.
type Cache struct {
	URL     secret.URL    `yaml:"url"` // memory, or redis://…
	Timeout time.Duration `yaml:"timeout"`
	Memory  Size          `yaml:"memory"`  // for tokens, where url is memory
	Standby Size          `yaml:"standby"` // for tokens, where memory stands by for Redis
}

// Store is the database.
type Store struct {
	URL            secret.URL `yaml:"url"`
	MigrateAtStart bool       `yaml:"migrate_at_start"`
}

// Seal has the keys for what is kept at rest, base64 of 32 bytes each.
type Seal struct {
	HashKey secret.Text `yaml:"hash_key"`
	Keys    []SealKey   `yaml:"keys"` // the first seals, all open
}

// SealKey is one sealing key: the key itself, or a file that holds it.
type SealKey struct {
	ID   string      `yaml:"id"`
	Key  secret.Text `yaml:"key"`
	File string      `yaml:"file"`
}

// RateLimit has the limits by class of route.
type RateLimit struct {
	Token    Limits `yaml:"token"`
	Save     Limits `yaml:"save"`
	Read     Limits `yaml:"read"`
	Upload   Limits `yaml:"upload"`
	Admin    Limits `yaml:"admin"`
	SignIn   Limits `yaml:"sign_in"`  // with an admin key that is wrong
	Failures string `yaml:"failures"` // tokens that were refused, per address
}

// Limits are rates such as "30-M"; "" is no limit.
type Limits struct {
	User    string `yaml:"user"`
	Address string `yaml:"address"`
	All     string `yaml:"all"`
}

// The choices of portfolio.other_owner.
const (
	OtherOwnerKeep   = "keep"
	OtherOwnerRefuse = "refuse"
)

// Portfolio is how statements are taken.
type Portfolio struct {
	MaxBody    Size   `yaml:"max_body"`
	OtherOwner string `yaml:"other_owner"` // OtherOwnerKeep or OtherOwnerRefuse
}

// The choices of audit.reuse and audit.when_unwritable.
const (
	ReuseCount = "count"
	ReuseEach  = "each"
	ReuseOff   = "off"

	UnwritableRefuse   = "refuse"
	UnwritableContinue = "continue"
)

// Audit is how the audit trail is kept.
type Audit struct {
	Reuse          string `yaml:"reuse"`           // ReuseCount, ReuseEach or ReuseOff
	WhenUnwritable string `yaml:"when_unwritable"` // UnwritableRefuse or UnwritableContinue
}

// Retention is how long things are kept; 0 is for ever.
type Retention struct {
	Portfolios time.Duration `yaml:"portfolios"` // from when one was saved
	Grants     time.Duration `yaml:"grants"`     // from when the token ended
}

// Admin says who may sign in as an operator, besides those whom verifiers name.
type Admin struct {
	Keys []AdminKey `yaml:"keys"`
}

// AdminKey is the hash of one operator's key.
type AdminKey struct {
	Name string      `yaml:"name"`
	Hash secret.Text `yaml:"hash"` // "sha256:…" of the whole key, or "$argon2id$…" of an older release
}

// Web is what the pages need.
type Web struct {
	WidgetURL string `yaml:"widget_url"` // "" for the stand-in
}

// Default returns the settings that hold where nothing else is said. What has no
// safe default (keys, verifiers) is empty, and Validate asks for it.
func Default() Config {
	return Config{
		Server: Server{
			Address:           "127.0.0.1:8080",
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      time.Minute,
			IdleTimeout:       2 * time.Minute,
			DrainDelay:        2 * time.Second,
			DrainTimeout:      20 * time.Second,
		},
		Log: Log{Level: "info", Format: "json"},
		Upstream: Upstream{
			URL: "https://api.casparser.in", Timeout: 10 * time.Second, Deadline: 25 * time.Second, Attempts: 3,
		},
		Auth:   Auth{CacheSize: 4 << 20},
		Token:  Token{Lifetime: time.Hour},
		Access: Access{Poll: 2 * time.Second, MaxStaleness: time.Minute, WhenStale: WhenStaleRefuse},
		Cache:  Cache{URL: "memory", Timeout: 250 * time.Millisecond, Memory: 16 << 20, Standby: 2 << 20},
		Store:  Store{URL: "sqlite:data/broker.db", MigrateAtStart: true},
		RateLimit: RateLimit{
			Token:    Limits{User: "30-M", Address: "600-M", All: "6000-M"},
			Save:     Limits{User: "20-M", Address: "200-M", All: "3000-M"},
			Read:     Limits{User: "120-M", Address: "1200-M", All: "30000-M"},
			Upload:   Limits{User: "10-M", Address: "60-M", All: "600-M"},
			Admin:    Limits{User: "120-M", Address: "240-M"},
			SignIn:   Limits{Address: "10-M"},
			Failures: "300-M",
		},
		Portfolio: Portfolio{MaxBody: 10 << 20, OtherOwner: OtherOwnerKeep},
		Audit:     Audit{Reuse: ReuseCount, WhenUnwritable: UnwritableRefuse},
	}
}
