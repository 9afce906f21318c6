package link

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
)

// Languages are those of the page.
var Languages = []string{"en", "hi"}

// Params are what a request for a link may ask for. nil means the default.
type Params struct {
	ExpiresIn *int     `json:"expires_in"` // seconds
	Use       *Use     `json:"use"`
	ReturnURL *string  `json:"return_url"`
	Language  *string  `json:"language"`
	Config    *Config  `json:"config"`
	Prefill   *Prefill `json:"prefill"`
}

// Config are the ways in that the widget offers besides a file.
type Config struct {
	EnableGenerator    bool     `json:"enableGenerator,omitempty"`
	EnableCDSLFetch    bool     `json:"enableCdslFetch,omitempty"`
	EnableInbox        bool     `json:"enableInbox,omitempty"`
	EnableInboundEmail bool     `json:"enableInboundEmail,omitempty"`
	AllowedTypes       []string `json:"allowedTypes,omitempty"`
	Prefill            *Prefill `json:"prefill,omitempty"`
}

// Prefill are values that the widget has in its fields.
type Prefill struct {
	PAN   string `json:"pan,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	BOID  string `json:"boId,omitempty"`
	DOB   string `json:"dob,omitempty"`
}

// Limits of what a request has, in bytes and elements.
const (
	maxReturnURL = 2000
	maxPrefill   = 100
	maxTypes     = 10
)

var errParams = fault.New(fault.Unprocessable, "invalid_link", "A member of the request is not acceptable.")

// parsed is a valid request.
type parsed struct {
	ttl      time.Duration
	use      Use
	language string
	private  Private
}

// parse returns what p asks for, or a fault that names each member that is wrong.
func (s *Service) parse(p Params) (parsed, error) {
	r := parsed{ttl: DefaultTTL, use: UntilSaved, language: Languages[0]}
	var wrong []fault.Field
	require := func(ok bool, pointer, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fault.Field{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
		}
	}
	if p.ExpiresIn != nil {
		r.ttl = time.Duration(*p.ExpiresIn) * time.Second
		ok := *p.ExpiresIn >= int(MinTTL/time.Second) && *p.ExpiresIn <= int(MaxTTL/time.Second)
		require(ok, "/expires_in", "must be %d to %d seconds: 10 minutes to 7 days", int(MinTTL/time.Second), int(MaxTTL/time.Second))
	}
	if p.Use != nil {
		r.use = *p.Use
		require(r.use == Once || r.use == UntilSaved, "/use", "must be once or until_saved")
	}
	if p.Language != nil {
		r.language = *p.Language
		require(slices.Contains(Languages, r.language), "/language", "must be en or hi")
	}
	if p.ReturnURL != nil {
		r.private.ReturnURL = *p.ReturnURL
		require(s.ReturnURLs.allow(r.private.ReturnURL), "/return_url", "must be at or below a URL that the operator of this service allows, without user and fragment")
	}
	config := Config{Prefill: p.Prefill}
	if p.Config != nil {
		config = *p.Config
		require(config.Prefill == nil, "/config/prefill", "must be outside of config")
		config.Prefill = p.Prefill
	}
	s.checkConfig(config, require)
	if len(wrong) > 0 {
		first := wrong[0]
		return r, errParams.Withf("%s %s.", strings.TrimPrefix(first.Pointer, "/"), first.Detail).At(wrong...)
	}
	text, err := json.Marshal(config)
	r.private.Config = jsontext.Value(text)
	return r, err
}

func (s *Service) checkConfig(c Config, require func(ok bool, pointer, format string, args ...any)) {
	for _, way := range []struct {
		enabled         bool
		member, feature string
	}{
		{c.EnableGenerator, "enableGenerator", "generate"},
		{c.EnableCDSLFetch, "enableCdslFetch", "fetch"},
		{c.EnableInbox, "enableInbox", "inbox"},
		{c.EnableInboundEmail, "enableInboundEmail", "inbound_email"},
	} {
		require(!way.enabled || slices.Contains(s.Features, way.feature), "/config/"+way.member, "this service does not offer this way in")
	}
	require(len(c.AllowedTypes) <= maxTypes, "/config/allowedTypes", "must be at most %d types", maxTypes)
	for i, t := range c.AllowedTypes {
		require(isShort(t), fmt.Sprintf("/config/allowedTypes/%d", i), "must be the name of a type")
	}
	if c.Prefill == nil {
		return
	}
	for member, value := range map[string]string{
		"pan": c.Prefill.PAN, "email": c.Prefill.Email, "phone": c.Prefill.Phone, "boId": c.Prefill.BOID, "dob": c.Prefill.DOB,
	} {
		require(isShort(value), "/prefill/"+member, "must be at most %d bytes of visible text", maxPrefill)
	}
}

// isShort reports whether text is at most maxPrefill bytes of visible characters.
func isShort(text string) bool {
	return len(text) <= maxPrefill && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
