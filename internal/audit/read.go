package audit

import (
	"cmp"
	"context"
	"slices"
)

// RecordRead records that service reads data of user, or that user does if service is "".
// route is such as "GET /v1/users/:subject/portfolios". With EachReuse it fails if the record
// cannot be written.
func (r *Recorder) RecordRead(ctx context.Context, service, user, route string) error {
	action, by, mode := UserRead, user, r.Reads
	if service != "" {
		action, by, mode = ServiceRead, service, r.ServiceReads
	}
	switch mode {
	case EachReuse:
		return r.Store.Append(ctx, New(ctx, r.Now(), by, action, user, route))
	case CountReuse:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reads.add(action, by)
	case NoReuse:
	}
	return nil
}

// readCounts counts the reads of a period. The zero value is empty.
type readCounts struct {
	byUser, byService map[string]int64
}

// add counts a read: a UserRead or a ServiceRead. Past the bounds, readers are counted
// together.
func (c *readCounts) add(action Action, by string) {
	if action == UserRead {
		countRead(&c.byUser, by, maxReaders)
	} else {
		countRead(&c.byService, by, maxServices)
	}
}

func countRead(counts *map[string]int64, by string, limit int) {
	if *counts == nil {
		*counts = map[string]int64{}
	}
	if _, known := (*counts)[by]; !known && len(*counts) >= limit {
		by = otherReason
	}
	(*counts)[by]++
}

// readCount is the number of reads of one reader.
type readCount struct {
	action      Action
	by, subject string // subject is "" for a service, which reads data of several users
	n           int64
}

// reset empties c and returns the counts, those of services first, each by reader.
func (c *readCounts) reset() []readCount {
	list := make([]readCount, 0, len(c.byService)+len(c.byUser))
	for service, n := range c.byService {
		list = append(list, readCount{ServiceRead, service, "", n})
	}
	for user, n := range c.byUser {
		subject := user
		if user == otherReason {
			subject = ""
		}
		list = append(list, readCount{UserRead, user, subject, n})
	}
	slices.SortFunc(list, func(a, b readCount) int { return cmp.Or(cmp.Compare(a.action, b.action), cmp.Compare(a.by, b.by)) })
	*c = readCounts{}
	return list
}
