package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"casbroker/internal/fault"
	"casbroker/internal/httpapi"
)

const (
	// askTimeout bounds each call that the gateway itself makes.
	askTimeout = 10 * time.Second
	// defaultPage and maxPage bound the pages of a list, as at the vendor.
	defaultPage = 50
	maxPage     = 100
)

var errPaging = fault.New(fault.Invalid, "invalid_query", "limit must be between 1 and 100, and offset 0 or more.")

// ownAddress is a forwarding address of the caller, as the vendor shows it.
type ownAddress struct {
	resource Resource
	shown    jsontext.Value
}

// addressList is a page of the caller's forwarding addresses, in the vendor's shape.
type addressList struct {
	Status string           `json:"status"`
	List   []jsontext.Value `json:"inbound_emails"`
	Total  int              `json:"total"`
	Limit  int              `json:"limit"`
	Offset int              `json:"offset"`
}

// listAddresses answers with the caller's addresses. The vendor's list is of the whole
// account, so each address is asked for by its id.
func (x *exchange) listAddresses(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, ok := number(query.Get("limit"), defaultPage)
	offset, ok2 := number(query.Get("offset"), 0)
	if !ok || !ok2 || limit < 1 || limit > maxPage {
		return errPaging
	}
	x.sent = true
	owned, err := x.Owned.Resources(r.Context(), x.token.Subject, Address)
	if err != nil {
		return err
	}
	addresses, err := x.fetchAddresses(r.Context(), owned)
	if err != nil {
		return err
	}
	page := addressList{Status: "success", List: []jsontext.Value{}, Limit: limit, Offset: offset}
	for _, a := range addresses {
		if !a.hasStatus(query.Get("status")) {
			continue
		}
		if page.Total >= offset && len(page.List) < limit {
			page.List = append(page.List, x.hideCallback(r.Host, a.shown))
		}
		page.Total++
	}
	x.answered = OutcomeOK
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.MarshalWrite(w, page)
}

// number returns the number that text says, or without a text the default.
func number(text string, byDefault int) (int, bool) {
	if text == "" {
		return byDefault, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0
}

// hasStatus reports whether the address has the status that a list was asked for.
func (a ownAddress) hasStatus(status string) bool {
	if status == "" || status == "all" {
		return true
	}
	var shown struct {
		Status string `json:"status"`
	}
	return json.Unmarshal(a.shown, &shown) == nil && shown.Status == status
}

// fetchAddresses returns those of the addresses that still exist at the vendor, and
// releases the others.
func (x *exchange) fetchAddresses(ctx context.Context, owned []Resource) ([]ownAddress, error) {
	defer func() { x.keyName = "" }() // the caller's own call may use any
	var list []ownAddress
	for _, resource := range owned {
		x.keyName = resource.KeyName
		a, err := x.ask(ctx, http.MethodGet, addressPath(resource.ID))
		switch {
		case err != nil:
			return nil, err
		case a.status == http.StatusNotFound:
			if err := x.Owned.ReleaseResource(ctx, Address, resource.ID); err != nil {
				return nil, err
			}
		case a.status == http.StatusTooManyRequests:
			return nil, errPaced.After(time.Minute)
		case a.failed() || jsontext.Value(a.body).Kind() != jsontext.KindBeginObject || !jsontext.Value(a.body).IsValid():
			return nil, errBadAnswer.Because(fmt.Errorf("HTTP %d", a.status))
		default:
			list = append(list, ownAddress{resource, a.body})
		}
	}
	return list, nil
}

// existing returns those of the addresses that still exist at the vendor.
func (x *exchange) existing(ctx context.Context, owned []Resource) ([]Resource, error) {
	addresses, err := x.fetchAddresses(ctx, owned)
	left := make([]Resource, len(addresses))
	for i, a := range addresses {
		left[i] = a.resource
	}
	return left, err
}

// ask makes a call of its own, with x.query and without a body, and returns the answer, of
// whatever status but those that are about the API key.
func (x *exchange) ask(ctx context.Context, method, path string) (*smallAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	call, err := x.begin(ctx)
	if err != nil {
		return nil, err
	}
	a, err := x.askWith(ctx, call, method, path)
	switch {
	case err != nil:
		call.done(healthOfError(err))
		return nil, err
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return nil, call.refused(a.status)
	default:
		return a, nil
	}
}

// askWith makes a call with the key of call.
func (x *exchange) askWith(ctx context.Context, call *vendorCall, method, path string) (*smallAnswer, error) {
	r, err := http.NewRequestWithContext(ctx, method, x.Vendor.url(path, x.query).String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "casbroker")
	r.Header.Set(httpapi.HeaderRequestID, x.id)
	r.Header.Set("X-Api-Key", call.key.Value.Reveal())
	ctx, span := x.startSpan(ctx, method, "")
	defer span.End()
	x.injectTrace(ctx, r.Header)
	res, err := x.Vendor.transport.RoundTrip(r)
	if err != nil {
		span.Fail()
		return nil, unreachable(ctx, err)
	}
	answeredSpan(span, res)
	body, err := readSmall(res)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if err := call.answered(res); err != nil {
		return nil, err
	}
	outcome := healthOK // counts for a success only
	if !jsontext.Value(body).IsValid() {
		outcome = healthBadAnswer
	}
	call.done(outcome)
	return &smallAnswer{res.StatusCode, body}, nil
}

// unreachable returns the caller's error for err of a call that the gateway made itself.
func unreachable(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errTimeout.Because(err)
	case ctx.Err() != nil, errors.Is(err, errBadAnswer):
		return err
	default:
		return errUnreachable.Because(err)
	}
}
