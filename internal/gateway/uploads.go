package gateway

import (
	"sync"
	"time"

	"casbroker/internal/fault"
)

// Uploads bounds how many uploads are in progress at the same time. 0 means no bound.
// It is safe for concurrent use.
type Uploads struct {
	PerUser int
	All     int

	mu    sync.Mutex
	all   int
	users map[string]int
}

var (
	errUserBusy = fault.New(fault.Limited, "too_many_uploads",
		"You have other uploads in progress; wait until one of them is done.").After(2 * time.Second)
	errBusy = fault.New(fault.Unavailable, "too_many_uploads",
		"The service has many uploads in progress; try again in some seconds.").After(5 * time.Second)
)

// begin counts an upload of subject. The caller must call done when it has ended.
func (u *Uploads) begin(subject string) (done func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.PerUser > 0 && u.users[subject] >= u.PerUser:
		return nil, errUserBusy
	case u.All > 0 && u.all >= u.All:
		return nil, errBusy
	}
	if u.users == nil {
		u.users = map[string]int{}
	}
	u.all++
	u.users[subject]++
	return func() { u.end(subject) }, nil
}

func (u *Uploads) end(subject string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all--
	if u.users[subject]--; u.users[subject] == 0 {
		delete(u.users, subject)
	}
}
