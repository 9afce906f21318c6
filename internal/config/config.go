// Package config loads the settings: defaults, then a YAML file, then the environment,
// each overriding the one before. Unknown keys are refused, and all errors are reported
// at once, each naming its key. Rules that belong to another package (valid verifiers,
// rates and admin keys) are checked there, by app.Check.
package config

import (
	"time"

	"casbroker/internal/secret"
)

// Config is all settings. config/broker.yaml explains each key.
type Config struct {
	Server    Server    `yaml:"server"`
	Log       Log       `yaml:"log"`
	Metrics   Metrics   `yaml:"metrics"`
	Tracing   Tracing   `yaml:"tracing"`
	Upstream  Upstream  `yaml:"upstream"`
	Auth      Auth      `yaml:"auth"`
	Token     Token     `yaml:"token"`
	Gateway   Gateway   `yaml:"gateway"`
	Budgets   []Budget  `yaml:"budgets"`
	Webhooks  Webhooks  `yaml:"webhooks"`
	Inbound   Inbound   `yaml:"inbound"`
	Link      Link      `yaml:"link"`
	Access    Access    `yaml:"access"`
	Cache     Cache     `yaml:"cache"`
	Store     Store     `yaml:"store"`
	Seal      Seal      `yaml:"seal"`
	RateLimit RateLimit `yaml:"ratelimit"`
	Portfolio Portfolio `yaml:"portfolio"`
	Compat    Compat    `yaml:"compat"`

	Statements Statements `yaml:"statements"`

	Audit     Audit     `yaml:"audit"`
	Retention Retention `yaml:"retention"`
	Admin     Admin     `yaml:"admin"`
	Web       Web       `yaml:"web"`
}

// Server configures the HTTP listener.
type Server struct {
	Address           string        `yaml:"address"`         // host:port
	MetricsAddress    string        `yaml:"metrics_address"` // host:port, "" for none
	PublicURL         string        `yaml:"public_url"`      // how browsers reach the broker, "" for this machine only
	TrustedProxies    []string      `yaml:"trusted_proxies"` // networks (CIDR) whose X-Forwarded-For is trusted
	AllowedOrigins    []string      `yaml:"allowed_origins"` // exact origins that CORS allows
	AllowedHeaders    []string      `yaml:"allowed_headers"` // that pages of AllowedOrigins may send, besides those of the API
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	WriteTimeout      time.Duration `yaml:"write_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	MinBodyRate       Size          `yaml:"min_body_rate"` // of request bodies, per second; 0 for none
	BodyGrace         time.Duration `yaml:"body_grace"`    // how far a body may be behind MinBodyRate
	DrainDelay        time.Duration `yaml:"drain_delay"`   // between the first failing /readyz and the close of the listener
	DrainTimeout      time.Duration `yaml:"drain_timeout"` // for requests in progress at the end
}

// Metrics configures what server.metrics_address serves.
type Metrics struct {
	NativeHistograms bool `yaml:"native_histograms"` // besides the classic ones
	Pprof            bool `yaml:"pprof"`             // serve profiles too
}

// Log configures the log.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // json or text
	// Sample is 1 for a line for each request, n for one of n requests that did not fail and took less
	// than Slow.
	Sample int           `yaml:"sample"`
	Slow   time.Duration `yaml:"slow"`
}

// Upstream configures calls to the vendor's API.
type Upstream struct {
	Kind       string        `yaml:"kind"` // KindCloud or KindOnPremise
	URL        string        `yaml:"url"`
	AllowHTTP  string        `yaml:"allow_http"`   // the host that URL may name with plain http
	APIKey     secret.Text   `yaml:"api_key"`      // short for Keys with one key
	APIKeyFile string        `yaml:"api_key_file"` // that has it
	Keys       []UpstreamKey `yaml:"keys"`
	SwitchAt   string        `yaml:"switch_at"` // share of a key's credits, such as "90%"; "" for none
	// CreditsEvery is how often the credits of each key are asked for; 0 means never.
	CreditsEvery time.Duration `yaml:"credits_every"`
	Timeout      time.Duration `yaml:"timeout"`  // of one call, connect to last byte
	Deadline     time.Duration `yaml:"deadline"` // of all attempts together
	Attempts     int           `yaml:"attempts"`
}

// UpstreamKey is an API key of the vendor: the key itself, or a file that has it.
type UpstreamKey struct {
	Name       string      `yaml:"name"`
	APIKey     secret.Text `yaml:"api_key"`
	APIKeyFile string      `yaml:"api_key_file"`
	Weight     int         `yaml:"weight"`
	Verifiers  []string    `yaml:"verifiers"` // whose users' calls it is for; none for all
	Rate       int         `yaml:"rate"`      // requests per minute; 0 for no limit
}

// defaultKey is the name of the key in Upstream.APIKey.
const defaultKey = "default"

// setDefaults sets the defaults of an element of upstream.keys.
func (k *UpstreamKey) setDefaults() { k.Weight, k.Rate = 1, 60 }

// AllKeys returns Keys, or the only key if there is just that; none for a parser on premises.
func (u Upstream) AllKeys() []UpstreamKey {
	if u.OnPremise() {
		return nil
	}
	if len(u.Keys) > 0 {
		return u.Keys
	}
	k := UpstreamKey{Name: defaultKey, APIKey: u.APIKey, APIKeyFile: u.APIKeyFile}
	k.setDefaults()
	return []UpstreamKey{k}
}

// Auth configures which user tokens (JWTs) are accepted.
type Auth struct {
	Cookie         string     `yaml:"cookie"`          // "" for none
	TrustedOrigins []string   `yaml:"trusted_origins"` // origins that may send changing requests with the cookie
	CacheSize      Size       `yaml:"cache_size"`      // of the cache of verified tokens; 0 turns it off
	Verifiers      []Verifier `yaml:"verifiers"`

	ServiceKeys []ServiceKey `yaml:"service_keys"`
}

// ServiceKey is the hash of a key of a service, and what that may do.
type ServiceKey struct {
	Name         string      `yaml:"name"`
	Hash         secret.Text `yaml:"hash"` // "sha256:…" of the whole key
	HashFile     string      `yaml:"hash_file"`
	PreviousHash secret.Text `yaml:"previous_hash"` // of the key before, while it is replaced
	PreviousFile string      `yaml:"previous_hash_file"`
	Scopes       []string    `yaml:"scopes"`
	ActsFor      []string    `yaml:"acts_for"` // names of verifiers
}

// Verifier configures one issuer of user tokens.
type Verifier struct {
	Name          string        `yaml:"name"`
	Issuer        string        `yaml:"issuer"`
	Audience      []string      `yaml:"audience"`
	AudienceClaim string        `yaml:"audience_claim"` // aud, client_id or azp
	Algorithms    []string      `yaml:"algorithms"`
	Secret        secret.Text   `yaml:"secret"`
	SecretFile    string        `yaml:"secret_file"`
	Secrets       []Secret      `yaml:"secrets"` // all verify, while one is replaced
	PublicKeyFile string        `yaml:"public_key_file"`
	JWKSURL       string        `yaml:"jwks_url"`
	OIDC          bool          `yaml:"oidc"`
	MaxLifetime   time.Duration `yaml:"max_lifetime"`
	Leeway        time.Duration `yaml:"leeway"` // for nbf and iat
	// NumericSubject accepts a "sub" that is a whole number.
	NumericSubject bool          `yaml:"numeric_subject"`
	Refresh        time.Duration `yaml:"refresh"`
	MaxKeyAge      time.Duration `yaml:"max_key_age"`
	Roles          Roles         `yaml:"roles"`
	ActsFor        []string      `yaml:"acts_for"` // names of the verifiers for whose users its services may act
}

// Roles maps the values of claims to roles. An empty list means its default; User has none,
// and then every verified caller is a user.
type Roles struct {
	Claims  []string `yaml:"claims"`
	User    []string `yaml:"user"`
	Service []string `yaml:"service"`
	Admin   []string `yaml:"admin"`
}

// The choices of token.mode.
const (
	ModeDirect  = "direct"
	ModeGateway = "gateway"
	ModeBoth    = "both"
)

// Token configures the access tokens that the broker issues.
type Token struct {
	Mode         string        `yaml:"mode"` // ModeDirect, ModeGateway or ModeBoth
	Lifetime     time.Duration `yaml:"lifetime"`
	MinRemaining time.Duration `yaml:"min_remaining"`
	Pool         int           `yaml:"pool"` // direct tokens that are kept ready; 0 for none
}

// The choices of gateway.features.
const (
	FeatureParse        = "parse"
	FeatureContractNote = "contract_note"
	FeatureFetch        = "fetch"
	FeatureGenerate     = "generate"
	FeatureInboundEmail = "inbound_email"
	FeatureInbox        = "inbox"
)

// The choices of gateway.capture.
const (
	CaptureSave  = "save"
	CaptureMatch = "match"
	CaptureOff   = "off"
)

// GatewayFeatures returns the choices of gateway.features.
func GatewayFeatures() []string {
	return []string{FeatureParse, FeatureContractNote, FeatureFetch, FeatureGenerate, FeatureInboundEmail, FeatureInbox}
}

// Gateway configures the proxy that tokens of the mode gateway are for.
type Gateway struct {
	Path              string        `yaml:"path"`     // below which the vendor's API is served
	Capture           string        `yaml:"capture"`  // CaptureSave, CaptureMatch or CaptureOff
	Features          []string      `yaml:"features"` // some of GatewayFeatures
	CallbackHosts     []string      `yaml:"callback_hosts"`
	RedirectHosts     []string      `yaml:"redirect_hosts"`
	Queue             time.Duration `yaml:"queue"`      // longest wait for a turn at the vendor
	PollEvery         time.Duration `yaml:"poll_every"` // the least time between two calls about one forwarding address
	UploadTimeout     time.Duration `yaml:"upload_timeout"`
	ParseTimeout      time.Duration `yaml:"parse_timeout"`        // for the vendor's answer to a document
	OTPTimeout        time.Duration `yaml:"otp_timeout"`          // to a call about a session of CDSL
	Timeout           time.Duration `yaml:"timeout"`              // to another call
	MaxUploads        int           `yaml:"max_uploads"`          // in progress on this replica; 0 for no bound
	MaxUploadsPerUser int           `yaml:"max_uploads_per_user"` // 0 for no bound
}

// The choices of access.when_stale and access.block_covers.
const (
	WhenStaleRefuse = "refuse"
	WhenStaleServe  = "serve"

	BlockCoversEverything = "everything"
	BlockCoversTokens     = "tokens"
)

// Access configures how a replica learns of blocks and revocations.
type Access struct {
	Poll         time.Duration `yaml:"poll"`          // between two reads of the database
	MaxStaleness time.Duration `yaml:"max_staleness"` // the greatest age of the last successful read
	WhenStale    string        `yaml:"when_stale"`    // WhenStaleRefuse or WhenStaleServe
	BlockCovers  string        `yaml:"block_covers"`  // BlockCoversEverything or BlockCoversTokens
}

// Cache configures the cache of tokens and counters.
type Cache struct {
	URL         secret.URL    `yaml:"url"`           // memory, or redis://…
	KeyPrefix   string        `yaml:"key_prefix"`    // of all keys and channels
	TLSCAFile   string        `yaml:"tls_ca_file"`   // PEM; "" means the system's authorities
	TLSCertFile string        `yaml:"tls_cert_file"` // PEM; with TLSKeyFile
	TLSKeyFile  string        `yaml:"tls_key_file"`
	Timeout     time.Duration `yaml:"timeout"`
	Memory      Size          `yaml:"memory"`  // for tokens, if url is memory
	Standby     Size          `yaml:"standby"` // for tokens in memory while Redis is unavailable
}

// Seal has the keys that encrypt data at rest, each base64 of 32 bytes.
type Seal struct {
	HashKey secret.Text `yaml:"hash_key"`
	Keys    []SealKey   `yaml:"keys"` // the first encrypts, all decrypt
}

// SealKey is an encryption key: the key itself, or a file that holds it.
type SealKey struct {
	ID   string      `yaml:"id"`
	Key  secret.Text `yaml:"key"`
	File string      `yaml:"file"`
}

// The choices of portfolio.other_owner.
const (
	OtherOwnerKeep   = "keep"
	OtherOwnerRefuse = "refuse"
)

// Portfolio configures the saving of statements.
type Portfolio struct {
	MaxBody    Size   `yaml:"max_body"`
	OtherOwner string `yaml:"other_owner"` // OtherOwnerKeep or OtherOwnerRefuse
	// MaxPerUser is the most statements that are stored for a user, MaxBytesPerUser the most
	// bytes of these.
	MaxPerUser      int  `yaml:"max_per_user"`
	MaxBytesPerUser Size `yaml:"max_bytes_per_user"`
}

// The choices of audit.reuse, audit.reads, audit.service_reads and audit.when_unwritable.
const (
	ReuseCount = "count"
	ReuseEach  = "each"
	ReuseOff   = "off"

	UnwritableRefuse   = "refuse"
	UnwritableContinue = "continue"
)

// Audit configures the audit trail.
type Audit struct {
	Reuse          string `yaml:"reuse"`           // ReuseCount, ReuseEach or ReuseOff
	Reads          string `yaml:"reads"`           // the same choices
	ServiceReads   string `yaml:"service_reads"`   // the same choices
	WhenUnwritable string `yaml:"when_unwritable"` // UnwritableRefuse or UnwritableContinue
	Anchor         Anchor `yaml:"anchor"`
}

// Anchor configures the proof, outside of the database, of how long the audit trail was.
type Anchor struct {
	Every time.Duration `yaml:"every"` // 0 for none
	File  string        `yaml:"file"`  // "" for none
	URL   string        `yaml:"url"`   // "" for none
}

// Retention is how long records are kept; 0 means forever.
type Retention struct {
	Portfolios time.Duration `yaml:"portfolios"` // from the time of saving
	Grants     time.Duration `yaml:"grants"`     // from the end of the token
	Calls      time.Duration `yaml:"calls"`      // from the call through the gateway
	Events     time.Duration `yaml:"events"`     // from when it happened
	Links      time.Duration `yaml:"links"`      // from the end of the link
	Audit      time.Duration `yaml:"audit"`      // from when it was written
}

// Admin lists the keys with which operators sign in. Users whose JWT has the role admin
// are operators too.
type Admin struct {
	Keys []AdminKey `yaml:"keys"`
}

// AdminKey is the hash of an operator's key.
type AdminKey struct {
	Name     string      `yaml:"name"`
	Hash     secret.Text `yaml:"hash"` // "sha256:…" of the whole key, or "$argon2id$…" of an older release
	HashFile string      `yaml:"hash_file"`
}

// WidgetURL is the default of web.widget_url: the vendor's script, of the generation whose
// contract connect.js knows.
const WidgetURL = "https://cdn.jsdelivr.net/npm/@cas-parser/connect@2/dist/portfolio-connect.standalone.min.js"

// Web configures what pages load.
type Web struct {
	WidgetURL       string `yaml:"widget_url"`       // "" in the demo for the stand-in
	WidgetIntegrity string `yaml:"widget_integrity"` // of Subresource Integrity; "" for none
	StandIn         bool   `yaml:"stand_in"`         // serve the stand-in and have pages load that
}

// Default returns the default settings. Those without a safe default (keys, verifiers)
// are empty, and validation requires them.
func Default() Config {
	return Config{
		Server: Server{
			Address:           "127.0.0.1:8080",
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      time.Minute,
			IdleTimeout:       2 * time.Minute,
			MinBodyRate:       16 << 10,
			BodyGrace:         10 * time.Second,
			DrainDelay:        2 * time.Second,
			DrainTimeout:      20 * time.Second,
			AllowedHeaders:    tracingHeaders(),
		},
		Log: Log{Level: "info", Format: "json", Sample: 1, Slow: time.Second}, Tracing: Tracing{Sample: "10%"},
		Web: Web{WidgetURL: WidgetURL},
		Upstream: Upstream{
			Kind: KindCloud, URL: "https://api.casparser.in", CreditsEvery: 5 * time.Minute, Timeout: 10 * time.Second, Deadline: 25 * time.Second, Attempts: 3,
		},
		Auth:  Auth{CacheSize: 4 << 20},
		Token: Token{Mode: ModeDirect, Lifetime: time.Hour},
		Gateway: Gateway{
			Path: "/gateway", Features: []string{FeatureParse}, Capture: CaptureSave, UploadTimeout: time.Minute, ParseTimeout: time.Minute,
			OTPTimeout: 50 * time.Second, Timeout: 30 * time.Second, MaxUploads: 100, MaxUploadsPerUser: 3,
			Queue:     2 * time.Second,
			PollEvery: 10 * time.Second,
		},
		Inbound: Inbound{Path: "/inbound"},
		Link:    Link{Color: "#1d4ed8", ColorDark: "#8ab4ff"},
		Access:  Access{Poll: 2 * time.Second, MaxStaleness: time.Minute, WhenStale: WhenStaleRefuse, BlockCovers: BlockCoversEverything},
		Cache:   Cache{URL: "memory", KeyPrefix: "cb:", Timeout: 250 * time.Millisecond, Memory: 16 << 20, Standby: 2 << 20},
		Store:   Store{URL: "sqlite:data/broker.db", MigrateAtStart: true, ExportMax: 1 << 30, MaxConns: 20, Pooler: PoolerAuto},
		RateLimit: RateLimit{
			Token:    Limits{User: "30-M", Address: "600-M", All: "6000-M", Mode: ModeEnforce},
			Save:     Limits{User: "20-M", Address: "200-M", All: "3000-M", Mode: ModeEnforce},
			Read:     Limits{User: "120-M", Address: "1200-M", All: "30000-M", Mode: ModeEnforce},
			Upload:   Limits{User: "10-M", Address: "60-M", All: "600-M", Mode: ModeEnforce},
			Admin:    Limits{User: "120-M", Address: "240-M", Mode: ModeEnforce},
			SignIn:   Limits{Address: "10-M", Mode: ModeEnforce},
			Failures: "300-M",
			Service:  ServiceLimits{User: "120-M", Total: "30000-M", Mode: ModeEnforce},
		},
		Portfolio:  Portfolio{MaxBody: 10 << 20, OtherOwner: OtherOwnerKeep, MaxPerUser: 500, MaxBytesPerUser: 100 << 20},
		Statements: Statements{Workers: 4, MaxJobsPerUser: 5, MaxJobs: 1000, MaxStored: 512 << 20},
		Audit:      Audit{Reuse: ReuseCount, Reads: ReuseCount, ServiceReads: ReuseCount, WhenUnwritable: UnwritableRefuse, Anchor: Anchor{Every: time.Hour}},
		Retention:  Retention{Calls: 90 * 24 * time.Hour, Events: 30 * 24 * time.Hour, Links: 90 * 24 * time.Hour},
	}
}
