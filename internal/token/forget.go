package token

import (
	"context"
	"time"
)

// Forget has the cache give none of subject's tokens again. They work at the vendor
// until they expire; the next one that subject asks for is new.
func (s *Service) Forget(ctx context.Context, subject string) error {
	for life := time.Minute; life <= MaxLife; life += time.Minute {
		if err := s.Cache.KeepToken(ctx, Key(subject, life), nil, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
