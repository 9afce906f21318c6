package config

import (
	"cmp"
	"time"
)

// NewVerifier returns a Verifier with the defaults.
func NewVerifier() Verifier {
	var v Verifier
	v.setDefaults()
	return v
}

// setDefaults sets the defaults of an element of auth.verifiers.
func (v *Verifier) setDefaults() {
	v.setMissing()
	v.Leeway = 30 * time.Second // 0s is a choice
	v.Roles = Roles{Claims: []string{"roles", "scope"}, Service: []string{"casbroker:service"}, Admin: []string{"casbroker:admin"}}
}

// setMissing gives settings that cannot be 0 or empty their defaults.
func (v *Verifier) setMissing() {
	v.AudienceClaim = cmp.Or(v.AudienceClaim, "aud")
	v.MaxLifetime = cmp.Or(v.MaxLifetime, 24*time.Hour)
	v.Refresh = cmp.Or(v.Refresh, 10*time.Minute)
	v.MaxKeyAge = cmp.Or(v.MaxKeyAge, 24*time.Hour)
}
