package token

import (
	"time"

	"casbroker/internal/credit"
)

// SessionView has the members of an answer that say what happened under a token.
type SessionView struct {
	OpenedAt   *time.Time   `json:"opened_at"`
	Stage      Stage        `json:"stage"`
	Stopped    *stoppedView `json:"stopped"`
	Ended      *endView     `json:"ended"`
	Calls      []callView   `json:"calls"`
	MoreCalls  bool         `json:"more_calls"`
	Portfolios []string     `json:"portfolio_ids"`
}

type stoppedView struct {
	Outcome string  `json:"outcome"`
	Reason  *string `json:"reason"`
}

type endView struct {
	At time.Time `json:"at"`
	By EndedBy   `json:"by"`
}

type callView struct {
	ID          string        `json:"id"`
	RequestID   string        `json:"request_id"`
	Feature     string        `json:"feature"`
	StartedAt   time.Time     `json:"started_at"`
	EndedAt     *time.Time    `json:"ended_at"`
	Outcome     *string       `json:"outcome"`
	Reason      *string       `json:"reason"`
	Credits     credit.Amount `json:"credits"`
	PortfolioID *string       `json:"portfolio_id"`
}

// View returns the members of an answer for s.
func (s Session) View() SessionView {
	v := SessionView{
		OpenedAt: orNull(s.OpenedAt()), Stage: s.Stage(), Calls: make([]callView, len(s.Calls)), MoreCalls: s.More, Portfolios: s.Portfolios(),
	}
	if c, stopped := s.Stopped(); stopped {
		v.Stopped = &stoppedView{c.Outcome, orNull(c.Reason)}
	}
	if s.End != (End{}) {
		v.Ended = &endView{s.End.At, s.End.By}
	}
	for i, c := range s.Calls {
		v.Calls[i] = callView{
			ID: c.ID, RequestID: c.RequestID, Feature: c.Feature, StartedAt: c.StartedAt, EndedAt: orNull(c.EndedAt),
			Outcome: orNull(c.Outcome), Reason: orNull(c.Reason), Credits: c.Credits, PortfolioID: orNull(c.PortfolioID),
		}
	}
	return v
}

// orNull returns nil for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// ownSessionView is the answer to a user.
type ownSessionView struct {
	ID        string    `json:"id"`
	Mode      Mode      `json:"mode"`
	State     State     `json:"state"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	SessionView
}
