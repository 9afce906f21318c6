package console_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"casbroker/internal/auth"
	"casbroker/internal/portfolio"
)

func TestPageOfAUserListsAccountsWithoutNumbersAndNames(t *testing.T) {
	t.Parallel()
	o := openConsole(t, nil)
	service := &portfolio.Service{Store: o.db, Reader: o.db, Keys: o.db, Log: slog.New(slog.DiscardHandler), Now: o.clock.Now}
	_, err := service.Save(t.Context(), auth.Principal{Subject: "app:asha"}, []byte(`{"meta":{"cas_type":"CDSL"},"investor":{"name":"Asha Example","pan":"AAAPZ9999A"},
		"demat_accounts":[{"bo_id":"1209999900000001","dp_name":"Example Broking","holdings":{"equities":[{"name":"Example Steel","value":10}]}}],
		"nps":[{"pran":"110099887766","cra":"Example CRA","funds":[{"name":"Scheme E","value":5}]}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	page := o.signedIn().get("/console/users/app:asha")
	expect(t, page, http.StatusOK, "Accounts", `data-testid="account"`, "demat", "pension", "<code>ac_")
	if n := strings.Count(page.body, `data-testid="account"`); n != 2 {
		t.Errorf("got %d accounts, want 2", n)
	}
	for _, hidden := range []string{"1209999900000001", "110099887766", "Asha Example", "Example Broking", "999A"} {
		if strings.Contains(page.body, hidden) {
			t.Errorf("the page has %q", hidden)
		}
	}
}
