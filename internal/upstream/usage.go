package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"

	"casbroker/internal/apikey"
	"casbroker/internal/budget"
	"casbroker/internal/credit"
)

var errUsage = errors.New("the summary has no by_feature with feature, requests and credits")

// Usage returns what the vendor's usage of the account of key says about the calls between
// two instants, the second one excluded, by feature. Its errors are those of Credits.
func (c *Client) Usage(ctx context.Context, key *apikey.Key, from, to time.Time) ([]budget.VendorUsage, error) {
	body, err := json.Marshal(map[string]time.Time{
		"start_time": from.UTC(), "end_time": to.UTC().Add(-time.Millisecond), // the vendor includes both
	})
	if err != nil {
		return nil, err
	}
	res, err := c.do(ctx, request{method: http.MethodPost, path: "/v1/usage/summary", body: body, excluded: true, key: key})
	if err != nil {
		return nil, err
	}
	list, err := decodeUsage(res.body)
	if err != nil {
		return nil, ErrBadAnswer.Because(fmt.Errorf("response to vendor request %q: %w", res.requestID, err))
	}
	return list, nil
}

// decodeUsage decodes the response of POST /v1/usage/summary. Unknown members are ignored.
func decodeUsage(body []byte) ([]budget.VendorUsage, error) {
	var v struct {
		Summary struct {
			ByFeature []struct {
				Feature  string         `json:"feature"`
				Requests *int64         `json:"requests"`
				Credits  jsontext.Value `json:"credits"`
			} `json:"by_feature"`
		} `json:"summary"`
	}
	if json.Unmarshal(body, &v) != nil || v.Summary.ByFeature == nil { // the error may quote the response
		return nil, errUsage
	}
	list := make([]budget.VendorUsage, 0, len(v.Summary.ByFeature))
	for _, f := range v.Summary.ByFeature {
		text, ok := readNumber(f.Credits)
		amount, err := decimal.NewFromString(text)
		thousandths := amount.Shift(3)
		if !ok || err != nil || f.Feature == "" || f.Requests == nil || *f.Requests < 0 || amount.IsNegative() || !thousandths.BigInt().IsInt64() {
			return nil, errUsage
		}
		list = append(list, budget.VendorUsage{Feature: f.Feature, Calls: *f.Requests, Credits: credit.Amount(thousandths.Round(0).IntPart())})
	}
	return list, nil
}
