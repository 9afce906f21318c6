package portfolio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/statement"
)

const (
	// observedFor is how long a posted statement is compared with what the vendor gave.
	observedFor = 24 * time.Hour
	// maxDifferences is how many differences are listed.
	maxDifferences = 20
)

// compare compares a reported statement with those of the same issuer and period that the
// vendor gave the same user within observedFor, and notes in save how it differs from the
// most similar one. The time at which the vendor generated an answer is no difference.
func (s *Service) compare(ctx context.Context, save *SaveRequest) error {
	p := &save.Portfolio
	ids, err := s.Reader.Observed(ctx, p.Subject, &save.Statement, p.SavedAt.Add(-observedFor))
	if err != nil || len(ids) == 0 {
		return err
	}
	compared := false
	for _, observedID := range ids {
		seen, err := s.observedPayload(ctx, p.Subject, observedID)
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrNoCapture), errors.Is(err, ErrUnreadable): // deleted meanwhile, or its key is missing
			continue
		case err != nil:
			return err
		}
		differences, err := statement.Differences(save.Payload, seen, maxDifferences)
		if err != nil {
			return fmt.Errorf("compare with %s: %w", observedID, err)
		}
		if !compared || len(differences) < len(p.Differences) {
			p.Differences = differences
		}
		if compared = true; len(differences) == 0 {
			break
		}
	}
	if p.Differs = len(p.Differences) > 0; p.Differs {
		r := audit.New(ctx, p.SavedAt, p.Subject, audit.PortfolioDiffers, p.Subject, p.ID)
		r = r.WithDetail(fmt.Sprintf("differences=%d", len(p.Differences)))
		save.Differs = &r
	}
	return nil
}

// observedPayload returns the payload of a portfolio or a capture of subject.
func (s *Service) observedPayload(ctx context.Context, subject, observedID string) ([]byte, error) {
	if isPortfolioID(observedID) {
		return s.Reader.Payload(ctx, subject, observedID)
	}
	c, err := s.Reader.Capture(ctx, observedID)
	return c.Payload, err
}
