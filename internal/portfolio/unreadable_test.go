package portfolio_test

import (
	"bytes"
	"net/http"
	"testing"

	"casbroker/internal/secret"
	"casbroker/internal/testkit/storetest"
)

func TestPortfolioWithoutItsKeyIsListedAndItsRowsAreUnreadable(t *testing.T) {
	t.Parallel()
	url, digest := storetest.SQLite(t), secret.RandomKey()
	lost, kept := secret.Key{ID: "k1", Secret: secret.RandomKey()}, secret.Key{ID: "k2", Secret: secret.RandomKey()}
	before := serve(t, storetest.Open(t, url, newBox(t, digest, lost)))
	payload := minimal("Fund")
	saved := before.save("asha", payload, "Idempotency-Key", "k").want(t, http.StatusCreated)
	path := "/v1/portfolios/" + saved.ID

	b := serve(t, storetest.Open(t, url, newBox(t, digest, kept)))
	list := b.list("asha", "")
	if len(list) != 1 || list[0].Readable || list[0].Investor["name"] != nil || list[0].Investor["pan_masked"] != nil || list[0].TotalValue != "" ||
		list[0].Holdings["nps"] != 1 || list[0].StoredRows != 1 {
		t.Errorf("got the list %+v", list)
	}
	for _, rows := range []string{"", "/holdings", "/holdings?format=csv", "/transactions", "/raw"} {
		r := b.get("asha", path+rows)
		if got := r.want(t, http.StatusServiceUnavailable); got.Code != "portfolio_unreadable" || r.header.Get("Retry-After") != "300" {
			t.Errorf("%s: got %s, %v", rows, got.Code, r.header)
		}
	}
	if got := b.get("asha", "/v1/portfolios/latest").want(t, http.StatusServiceUnavailable); got.Code != "portfolio_unreadable" {
		t.Errorf("the latest: got %s", got.Code)
	}
	if list, err := export(t, b.db, "asha"); err != nil || len(list) != 1 || list[0].Holdings != nil || list[0].Transactions != nil || string(list[0].Payload) != "null" {
		t.Errorf("exported %+v, %v", list, err)
	}
	if fresh := b.save("asha", minimal("Another")).want(t, http.StatusCreated); !fresh.Readable || fresh.Owner != 1 {
		t.Errorf("a new portfolio: got %+v", fresh)
	}

	restored := serve(t, storetest.Open(t, url, newBox(t, digest, kept, lost)))
	if raw := restored.get("asha", path+"/raw"); !bytes.Equal(raw.body, payload) {
		t.Errorf("with the key restored: %s", raw.body)
	}
	if got := restored.get("asha", path).want(t, http.StatusOK); !got.Readable || got.Rows[0].Account == nil {
		t.Errorf("with the key restored: %+v", got)
	}
	restored.call("asha", http.MethodDelete, path, nil).want(t, http.StatusNoContent)
}

func TestPortfolioWithoutItsKeyCanBeDeleted(t *testing.T) {
	t.Parallel()
	url, digest := storetest.SQLite(t), secret.RandomKey()
	id := serve(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k1", Secret: secret.RandomKey()}))).
		save("asha", minimal("Fund")).want(t, http.StatusCreated).ID
	b := serve(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k2", Secret: secret.RandomKey()})))
	b.call("asha", http.MethodDelete, "/v1/portfolios/"+id, nil).want(t, http.StatusNoContent)
	b.get("asha", "/v1/portfolios/"+id).want(t, http.StatusNotFound)
}

func TestPortfolioWithoutItsKeyIsReadableAfterAnotherSave(t *testing.T) {
	t.Parallel()
	url, digest := storetest.SQLite(t), secret.RandomKey()
	payload := minimal("Fund")
	id := serve(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k1", Secret: secret.RandomKey()}))).
		save("asha", payload).want(t, http.StatusCreated).ID
	b := serve(t, storetest.Open(t, url, newBox(t, digest, secret.Key{ID: "k2", Secret: secret.RandomKey()})))
	if again := b.save("asha", payload).want(t, http.StatusOK); again.ID != id || !again.Readable {
		t.Errorf("saved again as %+v", again)
	}
	if raw := b.get("asha", "/v1/portfolios/"+id+"/raw"); raw.status != http.StatusOK || !bytes.Equal(raw.body, payload) {
		t.Errorf("the payload: %d %s", raw.status, raw.body)
	}
	if got := b.get("asha", "/v1/portfolios/"+id).want(t, http.StatusOK); !got.Readable || got.Rows[0].Account == nil || !got.Active {
		t.Errorf("read %+v", got)
	}
}
