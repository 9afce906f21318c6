package console

import (
	"testing"

	"casbroker/internal/audit"
)

func TestInvisibleCharactersAreNamed(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"app:asha":             "app:asha",
		"app:éж 😀/%<b>":        "app:éж 😀/%<b>",
		"app:\u200basha":       "app:⟨U+200B⟩asha",
		"app:\u202eahsa":       "app:⟨U+202E⟩ahsa",
		"app:as\nha\r\t":       "app:as⟨U+000A⟩ha⟨U+000D⟩⟨U+0009⟩",
		"app:a\u00adsha":       "app:a⟨U+00AD⟩sha",
		"app:as\ufe0fha\u3164": "app:as⟨U+FE0F⟩ha⟨U+3164⟩",
		"app:as\u00a0ha":       "app:as⟨U+00A0⟩ha",
		"app:asha ":            "app:asha⟨U+0020⟩",
		"app:as  ha":           "app:as ⟨U+0020⟩ha",
		"app:\U000e0041":       "app:⟨U+E0041⟩",
		"app:\u2800":           "app:⟨U+2800⟩",
		"app:⟨U+200B⟩asha":     "app:⟨U+27E8⟩U+200B⟩asha",
		"app:\u2066asha\u2069": "app:⟨U+2066⟩asha⟨U+2069⟩",
		"":                     "",
	} {
		if got := escapeInvisible(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestAuditDetailsAreReadable(t *testing.T) {
	t.Parallel()
	for detail, want := range map[string]string{
		"until=lifted":                                    "until unblocked",
		"until=2026-04-02T10:30:00.25Z":                   "until 2026-04-02 10:30:00 UTC",
		"until=soon":                                      "until soon",
		"already":                                         "no change",
		"count=1200 since=2026-04-01T10:30:00Z":           "1,200 times since 2026-04-01 10:30:00 UTC",
		"count=1 since=2026-04-01T10:30:00Z":              "once since 2026-04-01 10:30:00 UTC",
		"rate_limited count=3 since=2026-04-01T10:30:00Z": "rate limit reached, 3 times since 2026-04-01 10:30:00 UTC",
		"count=99999999999999999999 since=then":           "count=99999999999999999999 since=then",
		"version=v1.2.3":                                  "version=v1.2.3",
		"subject_blocked":                                 "subject_blocked", // not of a refused action
		"":                                                "",
	} {
		if got := (auditBody{}).Detail(audit.View{Detail: detail, Outcome: audit.OK}); got != want {
			t.Errorf("%q: got %q, want %q", detail, got, want)
		}
	}
	if got := (auditBody{}).Detail(audit.View{Detail: "subject_blocked", Outcome: audit.Refused}); got != "user blocked" {
		t.Errorf("of a refused action: got %q", got)
	}
}
