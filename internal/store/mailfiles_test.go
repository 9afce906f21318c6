package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/gateway"
	"casbroker/internal/secret"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// mailFile returns a file that arrived at at and expires two days later.
func mailFile(message, name string, at time.Time) gateway.MailFile {
	return gateway.MailFile{
		MessageID: message, Name: name, ReceivedAt: at, ExpiresAt: at.Add(48 * time.Hour),
		Members: map[string]jsontext.Value{"filename": jsontext.Value(fmt.Sprintf("%q", name)), "url": jsontext.Value(`"https://files.example/secret-link"`)},
	}
}

func addFiles(t *testing.T, s *store.DB, address, cursor string, files ...gateway.MailFile) gateway.Arrival {
	t.Helper()
	a, err := s.AddFiles(t.Context(), address, files, cursor)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mailFiles(t *testing.T, s *store.DB, address string, since time.Time, limit int) []gateway.MailFile {
	t.Helper()
	list, err := s.MailFiles(t.Context(), address, since, savedAt, limit)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// fileNames returns the names of files, in order.
func fileNames(files []gateway.MailFile) (names []string) {
	for _, f := range files {
		names = append(names, strings.Trim(string(f.Members["filename"]), `"`))
	}
	return names
}

func TestFileIsStoredOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		own(t, s, gateway.Address, "ie_2", "demo:ravi", savedAt)
		one, two, three := mailFile("msg_1", "a.pdf", savedAt), mailFile("msg_1", "b.pdf", savedAt), mailFile("msg_2", "a.pdf", savedAt)
		want := gateway.Arrival{Subject: "demo:asha", Address: "ie_1", Messages: 1, Files: 2}
		if got := addFiles(t, s, "ie_1", "", one, two, one); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := addFiles(t, s, "ie_1", "", two, one, three); got.Messages != 1 || got.Files != 1 {
			t.Errorf("got %+v, want one new message", got)
		}
		if got := addFiles(t, s, "ie_1", "", one, two, three); got.Messages != 0 || got.Files != 0 {
			t.Errorf("got %+v, want nothing new", got)
		}
		if got := addFiles(t, s, "ie_2", "", one); got.Files != 1 || got.Subject != "demo:ravi" {
			t.Errorf("got %+v, want the same file of another address", got)
		}
		if got := fileNames(mailFiles(t, s, "ie_1", time.Time{}, 50)); !slices.Equal(got, []string{"a.pdf", "b.pdf", "a.pdf"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestLaterFileHasALaterTime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		at := savedAt.Add(time.Microsecond)
		addFiles(t, s, "ie_1", "", mailFile("1", "1", at), mailFile("2", "2", at), mailFile("3", "3", at.Add(-time.Hour)))
		var adding sync.WaitGroup
		for i := range 5 {
			adding.Go(func() { // with a clock that is late
				if _, err := s.AddFiles(t.Context(), "ie_1", []gateway.MailFile{mailFile(fmt.Sprint("late ", i), "x", at.Add(-time.Minute))}, ""); err != nil {
					t.Error(err)
				}
			})
		}
		adding.Wait()
		list := mailFiles(t, s, "ie_1", time.Time{}, 50)
		if len(list) != 8 || !list[0].ReceivedAt.Equal(at) {
			t.Fatalf("got %d files, the first at %s", len(list), list[0].ReceivedAt)
		}
		for i, f := range list {
			if want := at.Add(time.Duration(i) * time.Microsecond); !f.ReceivedAt.Equal(want) {
				t.Errorf("file %d: got %s, want %s", i, f.ReceivedAt, want)
			}
			if rest := mailFiles(t, s, "ie_1", f.ReceivedAt, 2); len(rest) != min(2, 7-i) {
				t.Errorf("got %d files after file %d", len(rest), i)
			}
		}
	})
}

func TestPollOfOneReplicaAsksTheVendor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		claim := func(now time.Time) bool {
			claimed, err := s.ClaimAsk(t.Context(), "ie_1", now, now.Add(-10*time.Second), now.Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			return claimed
		}
		if claim(savedAt.Add(10*time.Second - time.Millisecond)) {
			t.Error("a new address was due")
		}
		for round := range 2 {
			now := savedAt.Add(time.Duration(round+1) * 10 * time.Second)
			var claimed atomic.Int32
			var replicas sync.WaitGroup
			for range 8 {
				replicas.Go(func() {
					if claim(now) {
						claimed.Add(1)
					}
				})
			}
			replicas.Wait()
			if n := claimed.Load(); n != 1 {
				t.Errorf("round %d: %d replicas ask, want 1", round, n)
			}
		}
		if now := savedAt.Add(-time.Hour); !claim(now) {
			t.Error("an address that was asked about in the future is never due")
		}
	})
}

func TestCallbackIsFoundByItsSecretOnly(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url, storetest.NewBox(t))
		for id, hidden := range map[string]secret.Text{"ie_1": "the-secret-of-a-callback", "ie_2": "", "ie_3": ""} {
			r := gateway.Resource{Kind: gateway.Address, ID: id, Subject: "demo:asha", CreatedAt: savedAt, CallbackSecret: hidden}
			if ok, err := s.ClaimResource(t.Context(), r); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		addFiles(t, s, "ie_1", "2026-01-01T00:00:00.000000Z", mailFile("m", "a.pdf", savedAt))
		addFiles(t, s, "ie_1", "", mailFile("n", "a.pdf", savedAt))
		want := gateway.MailAddress{ID: "ie_1", Subject: "demo:asha", Callback: true, AskedAt: savedAt, Cursor: "2026-01-01T00:00:00.000000Z"}
		if a, err := s.CallbackAddress(t.Context(), "the-secret-of-a-callback"); err != nil || a != want {
			t.Errorf("got %+v, %v, want %+v", a, err, want)
		}
		for _, wrong := range []string{"", "another", "the-secret-of-a-callbacK"} {
			if a, err := s.CallbackAddress(t.Context(), wrong); err != nil || a.ID != "" {
				t.Errorf("%q: got %+v, %v", wrong, a, err)
			}
		}
		if a, err := s.MailAddress(t.Context(), "ie_2"); err != nil || a.Callback || a.Subject != "demo:asha" {
			t.Errorf("got %+v, %v", a, err)
		}
		if a, err := s.MailAddress(t.Context(), "ie_9"); err != nil || a.ID != "" {
			t.Errorf("got %+v, %v", a, err)
		}
		var stored string
		query := `SELECT CAST(secret AS TEXT) || CAST(sealed AS TEXT) FROM vendor_resources r JOIN mail_files f ON f.address = r.id LIMIT 1`
		if strings.HasPrefix(url, "postgres") {
			query = strings.NewReplacer("CAST(secret AS TEXT)", "encode(secret, 'escape')", "CAST(sealed AS TEXT)", "encode(sealed, 'escape')").Replace(query)
		}
		if err := storetest.SQL(t, url).QueryRowContext(t.Context(), query).Scan(&stored); err != nil || len(stored) < 64 {
			t.Fatal(err, len(stored))
		}
		for _, clear := range []string{"the-secret-of", "secret-link", "a.pdf"} {
			if strings.Contains(stored, clear) {
				t.Errorf("the database has %q in clear", clear)
			}
		}
	})
}

func TestFilesGoWithTheirAddress(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		for _, id := range []string{"ie_1", "ie_2"} {
			own(t, s, gateway.Address, id, "demo:asha", savedAt)
			addFiles(t, s, id, "", mailFile("m", "a.pdf", savedAt))
		}
		own(t, s, gateway.Address, "ie_3", "demo:ravi", savedAt)
		addFiles(t, s, "ie_3", "", mailFile("m", "a.pdf", savedAt))
		if err := s.ReleaseResource(t.Context(), gateway.Address, "ie_1"); err != nil || rows("mail_files") != 2 {
			t.Errorf("%d files after a release, %v", rows("mail_files"), err)
		}
		for _, id := range []string{"ie_1", "ie_9"} {
			if _, err := s.AddFiles(t.Context(), id, []gateway.MailFile{mailFile("m", "b.pdf", savedAt)}, ""); !errors.Is(err, gateway.ErrNoAddress) {
				t.Errorf("%s: got %v", id, err)
			}
		}
		erase(t, s, "demo:asha")
		if n := rows("mail_files"); n != 1 {
			t.Errorf("%d files after an erasure, want another user's", n)
		}
	})
}

func TestExpiredFilesAreHiddenAndDropped(t *testing.T) {
	t.Parallel()
	eachWithRows(t, func(t *testing.T, s *store.DB, rows func(string) int) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		old := mailFile("old", "old.pdf", savedAt)
		old.ExpiresAt = savedAt
		addFiles(t, s, "ie_1", "", old, mailFile("new", "new.pdf", savedAt))
		if got := fileNames(mailFiles(t, s, "ie_1", time.Time{}, 50)); !slices.Equal(got, []string{"new.pdf"}) {
			t.Errorf("got %q", got)
		}
		if err := s.DropExpiredFiles(t.Context(), savedAt); err != nil || rows("mail_files") != 1 {
			t.Errorf("%d files are left, %v", rows("mail_files"), err)
		}
	})
}

func TestAddressHasABoundedNumberOfFiles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		own(t, s, gateway.Address, "ie_1", "demo:asha", savedAt)
		var files []gateway.MailFile
		for i := range 200 {
			files = append(files, mailFile(fmt.Sprint(i), "a.pdf", savedAt))
		}
		addFiles(t, s, "ie_1", "", files...)
		more := []gateway.MailFile{files[0], mailFile("more", "a.pdf", savedAt)}
		if _, err := s.AddFiles(t.Context(), "ie_1", more, "2026-01-01T00:00:00Z"); !errors.Is(err, gateway.ErrManyFiles) {
			t.Errorf("got %v", err)
		}
		if a, err := s.MailAddress(t.Context(), "ie_1"); err != nil || a.Cursor != "" {
			t.Errorf("got %+v, %v, want the old cursor", a, err)
		}
		addFiles(t, s, "ie_1", "", files...)
	})
}
