package sandbox

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const defaultUsageLimit = 100

// The vendor's names of features in enabled_features and in the usage log.
const (
	smartParser        = "smart_parser"
	cdslParser         = "cdsl_cas_parser"
	nsdlParser         = "nsdl_cas_parser"
	camsKfintechParser = "cams_kfintech_cas_parser"
	contractNoteParser = "contract_note_parser"
	kfintechGenerator  = "kfintech_cas_generator"
	cdslFetch          = "cdsl_cas_fetch"
	inboxPull          = "inbox_pull"
	inboxConnect       = "inbox_connect"
	inboxDisconnect    = "inbox_disconnect"
	inboxStatus        = "inbox_status"
	inboundEmail       = "inbound_email"
)

var features = []string{
	smartParser, cdslParser, nsdlParser, camsKfintechParser, contractNoteParser, kfintechGenerator,
	cdslFetch, inboxPull, inboxConnect, inboxDisconnect, inboxStatus, inboundEmail,
}

// credits answers with what the account has used and what is left.
func (s *Sandbox) credits(c *call) (reply, error) {
	used := c.account.spent()
	var remaining *credit
	if !c.account.unlimited {
		left := c.account.limit - used
		remaining = &left
	}
	now := s.opts.Now().UTC()
	return ok(struct {
		Used      credit    `json:"used"`
		Remaining *credit   `json:"remaining"`
		Limit     credit    `json:"limit"`
		Unlimited bool      `json:"is_unlimited"`
		ResetsAt  time.Time `json:"resets_at"`
		Features  []string  `json:"enabled_features"`
	}{
		used, remaining, c.account.limit, c.account.unlimited,
		time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC), features,
	})
}

// usagePeriod reads the period and the limit of a usage call. The defaults, and all that
// PublicKey gets, are the last 30 days and 100 records.
func (s *Sandbox) usagePeriod(c *call) (from, to time.Time, limit int, err error) {
	var req struct {
		Start *time.Time `json:"start_time"`
		End   *time.Time `json:"end_time"`
		Limit *int       `json:"limit"`
	}
	if !c.account.public && readJSON(c.r, &req) != nil {
		return from, to, 0, detailError("start_time and end_time must be ISO 8601 times, limit an integer")
	}
	to, limit = s.opts.Now(), defaultUsageLimit
	if req.End != nil {
		to = *req.End
	}
	from = to.AddDate(0, 0, -30)
	if req.Start != nil {
		from = *req.Start
	}
	if req.Limit != nil {
		limit = *req.Limit
	}
	if limit < 1 || to.Before(from) {
		return from, to, 0, detailError("limit must be positive and end_time not before start_time")
	}
	return from, to, limit, nil
}

func (s *Sandbox) usageLog(c *call) (reply, error) {
	from, to, limit, err := s.usagePeriod(c)
	if err != nil {
		return reply{}, err
	}
	logs := c.account.usageBetween(from, to)
	logs = logs[:min(limit, len(logs))]
	return ok(struct {
		Status string  `json:"status"`
		Logs   []usage `json:"logs"`
		Count  int     `json:"count"`
	}{"success", append([]usage{}, logs...), len(logs)})
}

type featureUsage struct {
	Feature  string `json:"feature"`
	Requests int    `json:"requests"`
	Credits  credit `json:"credits"`
}

type usageTotals struct {
	Requests  int            `json:"total_requests"`
	Credits   credit         `json:"total_credits"`
	ByFeature []featureUsage `json:"by_feature"`
}

func (s *Sandbox) usageSummary(c *call) (reply, error) {
	from, to, _, err := s.usagePeriod(c)
	if err != nil {
		return reply{}, err
	}
	sums := map[string]featureUsage{}
	total := usageTotals{ByFeature: []featureUsage{}}
	for _, u := range c.account.usageBetween(from, to) {
		f := sums[u.Feature]
		sums[u.Feature] = featureUsage{u.Feature, f.Requests + 1, f.Credits + u.Credits}
		total.Requests++
		total.Credits += u.Credits
	}
	total.ByFeature = slices.AppendSeq(total.ByFeature, maps.Values(sums))
	slices.SortFunc(total.ByFeature, func(a, b featureUsage) int { return cmp.Compare(a.Feature, b.Feature) })
	return ok(struct {
		Status  string      `json:"status"`
		Summary usageTotals `json:"summary"`
	}{"success", total})
}
