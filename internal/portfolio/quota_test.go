package portfolio_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"casbroker/internal/portfolio"
	"casbroker/internal/store"
	"casbroker/internal/testkit/storetest"
)

// ofMonth is a statement for a month of 2025.
func ofMonth(month int) []byte {
	return statementOf("CDSL", "AAAPZ9999A", fmt.Sprintf("2025-%02d-28", month))
}

func TestSaveOverTheQuotaNamesTheOldestStatementToDelete(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db, func(s *portfolio.Service) { s.Quota.Statements = 2 })
		b.save("asha", ofMonth(5)).want(t, http.StatusCreated)
		oldest := b.save("asha", ofMonth(4)).want(t, http.StatusCreated)
		refused := b.save("asha", ofMonth(6), "Idempotency-Key", "one").want(t, http.StatusConflict)
		if refused.Code != "quota_exceeded" || !strings.Contains(refused.Detail, "2 statements") || !strings.Contains(refused.Detail, oldest.ID) {
			t.Errorf("got %q %q, want quota_exceeded that names %s", refused.Code, refused.Detail, oldest.ID)
		}
		b.save("asha", ofMonth(5)).want(t, http.StatusOK) // is no new one
		b.save("bina", ofMonth(5)).want(t, http.StatusCreated)
		if got := len(b.list("asha", "")); got != 2 {
			t.Errorf("got %d portfolios, want 2", got)
		}
		b.call("asha", http.MethodDelete, "/v1/portfolios/"+oldest.ID, nil).want(t, http.StatusNoContent)
		b.save("asha", ofMonth(6), "Idempotency-Key", "one").want(t, http.StatusCreated)
	})
}

func TestSaveOverTheQuotaOfBytesIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := serve(t, db, func(s *portfolio.Service) { s.Quota.Bytes = 64 << 10 })
		text := make([]byte, 40<<10)          // a text that does not compress
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
		for i := range text {
			text[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[random.IntN(64)]
		}
		large := func(month int) []byte {
			return bytes.Replace(ofMonth(month), []byte(`"name":"N"`), fmt.Appendf(nil, `"name":"N","remarks":"%s"`, text), 1)
		}
		b.save("asha", large(1)).want(t, http.StatusCreated)
		if refused := b.save("asha", large(2)).want(t, http.StatusConflict); refused.Code != "quota_exceeded" || !strings.Contains(refused.Detail, "0.1 MiB") {
			t.Errorf("got %q %q, want quota_exceeded with how much is kept", refused.Code, refused.Detail)
		}
		b.save("asha", ofMonth(3)).want(t, http.StatusCreated)
	})
}

func TestQuotaIsExactForConcurrentSaves(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const quota = 3
		limit := func(s *portfolio.Service) { s.Quota.Statements = quota }
		replicas := []*broker{serve(t, db, limit), serve(t, db, limit)}
		var saving sync.WaitGroup
		statuses := make([]int, 12)
		for i := range statuses {
			saving.Go(func() { statuses[i] = replicas[i%2].save("asha", ofMonth(i+1)).status })
		}
		saving.Wait()
		count := map[int]int{}
		for _, status := range statuses {
			count[status]++
		}
		if count[http.StatusCreated] != quota || count[http.StatusConflict] != len(statuses)-quota {
			t.Errorf("got %v answers by status, want %d that are 201 and 409 otherwise", count, quota)
		}
		if got := len(replicas[0].list("asha", "")); got != quota {
			t.Errorf("got %d portfolios, want %d", got, quota)
		}
	})
}
