package statement_test

import (
	"testing"
	"time"

	"casbroker/internal/statement"
)

func TestAFundsUnitAmongTheEquitiesIsAnETF(t *testing.T) {
	t.Parallel()
	s, err := statement.Parse([]byte(`{"meta":{"cas_type":"CDSL"},"demat_accounts":[{"holdings":{"equities":[
		{"isin":"INFZ04K01EA6","name":"Imaginary Gold ETF","units":1,"value":2},
		{"isin":"INEZ14Q01013","name":"Periyar Sample Bank","units":1,"value":2}],
		"demat_mutual_funds":[{"isin":"INFZ05K01DA5","name":"Made-up Mid Cap Fund","units":1,"value":2}]}}]}`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []statement.Class{statement.ETF, statement.Equity, statement.DematMutualFund} {
		if got := s.Holdings[i].Class; got != want {
			t.Errorf("%s is %s, want %s", s.Holdings[i].Name, got, want)
		}
	}
}
