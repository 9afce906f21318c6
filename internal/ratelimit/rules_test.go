package ratelimit_test

import (
	"strings"
	"testing"

	"casbroker/internal/ratelimit"
)

func TestErrorNamesEveryMalformedRate(t *testing.T) {
	t.Parallel()
	_, err := ratelimit.Parse("limits", ratelimit.Settings{
		Token:    ratelimit.Limits{User: "30", Address: "600-X", All: "6000-M"},
		Save:     ratelimit.Limits{User: "0-M", Address: "-5-M", All: "many-M"},
		SignIn:   ratelimit.Limits{Address: "10"},
		Failures: "60 per minute",
		Read:     ratelimit.Limits{Mode: "watch"}, Service: ratelimit.ServiceLimits{Mode: "off"},
	})
	if err == nil {
		t.Fatal("malformed rates were accepted")
	}
	for _, key := range []string{
		"limits.token.user", "limits.token.address", "limits.save.user", "limits.save.address", "limits.save.all",
		"limits.sign_in.address", "limits.failures",
	} {
		if !strings.Contains(err.Error(), key+": want a rate") {
			t.Errorf("got %[2]v, want it to name %[1]s", key, err)
		}
	}
	for _, key := range []string{"limits.read.mode", "limits.service.mode"} {
		if !strings.Contains(err.Error(), key+": want enforce or observe") {
			t.Errorf("got %[2]v, want it to name %[1]s", key, err)
		}
	}
	if strings.Contains(err.Error(), "limits.token.all") || strings.Contains(err.Error(), "read.user") {
		t.Errorf("got %v, which names a valid key", err)
	}
}

func TestEveryPeriodAndNoLimitAreAccepted(t *testing.T) {
	t.Parallel()
	for _, s := range []ratelimit.Settings{limits(ratelimit.Limits{User: "30-M", Address: "600-H", All: "6000-D"}), {}, {Read: ratelimit.Limits{User: "5-s"}}} {
		if _, err := ratelimit.Parse("limits", s); err != nil {
			t.Error(err)
		}
	}
}

func TestClassWithoutRulesPanicsWhenRoutesAreMounted(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a limiter without rules was accepted")
		}
	}()
	(&ratelimit.Limiter{}).Middleware(ratelimit.Token)
}
