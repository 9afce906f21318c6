package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"casbroker/internal/config"
	"casbroker/internal/secret"
	"casbroker/internal/testkit/services"
	"casbroker/internal/testkit/storetest"
)

// logLevel is the level of the log, as operators are told.
type logLevel struct {
	Level, Setting, Replicas string
	Until                    *time.Time
}

func (b *broker) logLevel(t *testing.T, operator []string, method, body string) (l logLevel) {
	t.Helper()
	b.call(t, "", method, "/admin/v1/log-level", body, operator...).must(t, 200).decode(t, &l)
	return l
}

func TestOperatorChangesTheLogLevelOfAllReplicas(t *testing.T) {
	t.Parallel()
	redis := services.OwnRedis(t)
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(redis.URL))
	key := withOperator(t, &settings, "meera")
	first, second := start(t, settings), start(t, settings)
	within(t, 10*time.Second, "both replicas listen", func() bool { return listeners(t, redis.Port, "cb:log-level") == 2 })
	operator, other := first.signIn(t, key), second.signIn(t, key)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	l := first.logLevel(t, operator, http.MethodPut, `{"level":"debug","until":"`+until.Format(time.RFC3339)+`"}`)
	if l.Level != "debug" || l.Setting != "info" || l.Replicas != "all" || l.Until == nil || l.Until.Sub(until).Abs() > 2*time.Second {
		t.Errorf("got %+v, want debug until %v", l, until)
	}
	within(t, 10*time.Second, "the other replica follows", func() bool {
		l := second.logLevel(t, other, http.MethodGet, "")
		return l.Level == "debug" && l.Until != nil && l.Until.Sub(until).Abs() < 10*time.Second && l.Replicas == ""
	})
	second.call(t, "", http.MethodGet, "/healthz", "").must(t, 200)
	within(t, 10*time.Second, "the other replica logs more", func() bool { return strings.Contains(second.log.String(), "/healthz") })

	if l := second.logLevel(t, other, http.MethodPut, `{"level":"warn"}`); l.Level != "warn" || l.Until != nil {
		t.Errorf("got %+v, want warn without an end", l)
	}
	within(t, 10*time.Second, "the other replica follows", func() bool { return first.logLevel(t, operator, http.MethodGet, "").Level == "warn" })
	first.app.Reload(t.Context(), func() (config.Config, error) { return settings, nil })
	if l := first.logLevel(t, operator, http.MethodGet, ""); l.Level != "info" {
		t.Errorf("got %+v after the settings were read again, want info", l)
	}
	if l := first.logLevel(t, operator, http.MethodDelete, ""); l.Level != "info" || l.Replicas != "all" {
		t.Errorf("got %+v, want info", l)
	}
	within(t, 10*time.Second, "the other replica follows", func() bool { return second.logLevel(t, other, http.MethodGet, "").Level == "info" })

	var trail struct {
		Records []struct{ Actor, Object, Detail string }
	}
	first.call(t, "", http.MethodGet, "/admin/v1/audit?action=log.level", "", operator...).must(t, 200).decode(t, &trail)
	var got []string
	for _, r := range trail.Records {
		got = append(got, strings.TrimSpace(r.Actor+" "+r.Object+" "+r.Detail))
	}
	want := "admin/meera setting|admin/meera warn|admin/meera debug until " + until.Format(time.RFC3339)
	if strings.Join(got, "|") != want {
		t.Errorf("got the records %q, want %q", got, want)
	}
}

func TestAnswerSaysThatOnlyOneReplicaKnowsTheLogLevel(t *testing.T) {
	t.Parallel()
	gone := services.OwnRedis(t)
	for _, cache := range []string{"memory", gone.URL} {
		settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), secret.URL(cache))
		key := withOperator(t, &settings, "meera")
		b := start(t, settings)
		operator := b.signIn(t, key)
		if cache == gone.URL {
			gone.Stop()
		}
		if l := b.logLevel(t, operator, http.MethodPut, `{"level":"debug"}`); l.Level != "debug" || l.Replicas != "this" {
			t.Errorf("%s: got %+v, want debug here only", cache, l)
		}
		if l := b.logLevel(t, operator, http.MethodDelete, ""); l.Level != "info" || l.Replicas != "this" {
			t.Errorf("%s: got %+v, want info here only", cache, l)
		}
	}
}

func TestInvalidLogLevelsAreRefused(t *testing.T) {
	t.Parallel()
	settings, _ := settingsFor(t, secret.URL(storetest.SQLite(t)), "memory")
	key := withOperator(t, &settings, "meera")
	b := start(t, settings)
	operator := b.signIn(t, key)
	for body, want := range map[string]string{
		`{}`: "/level", ``: "/level", `{"level":"loud"}`: "/level", `{"level":1}`: "/level",
		`{"level":"debug","until":"soon"}`: "/until", `{"level":"debug","until":"2001-01-01T00:00:00Z"}`: "/until",
		`{"level":"debug","until":"0001-01-01T00:00:00Z"}`: "/until", `{"level":"debug","until":"9001-01-01T00:00:00Z"}`: "/until",
	} {
		a := b.call(t, "", http.MethodPut, "/admin/v1/log-level", body, operator...).must(t, 422)
		if !strings.Contains(a.body, `"pointer":"`+want+`"`) {
			t.Errorf("%s: got %s, want %s named", body, a.body, want)
		}
	}
	b.call(t, "", http.MethodPut, "/admin/v1/log-level", `{"level":"debug","for":"1h"}`, operator...).must(t, 400)
	b.call(t, "asha", http.MethodPut, "/admin/v1/log-level", `{"level":"debug"}`).mustRefuse(t, 403, "forbidden")
	b.call(t, "", http.MethodPut, "/admin/v1/log-level", `{"level":"debug"}`).must(t, 401)
	if l := b.logLevel(t, operator, http.MethodGet, ""); l.Level != "info" {
		t.Errorf("got %+v, want that nothing changed", l)
	}
}
