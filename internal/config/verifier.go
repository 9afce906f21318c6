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
	v.setZeroDurations()
	v.Roles = Roles{Claims: []string{"roles", "scope"}, Service: []string{"casbroker:service"}, Admin: []string{"casbroker:admin"}}
}

// setZeroDurations gives durations that cannot be 0 their defaults.
func (v *Verifier) setZeroDurations() {
	v.MaxLifetime = cmp.Or(v.MaxLifetime, 24*time.Hour)
	v.Refresh = cmp.Or(v.Refresh, 10*time.Minute)
	v.MaxKeyAge = cmp.Or(v.MaxKeyAge, 24*time.Hour)
}
