package sandbox

import (
	"regexp"
	"time"
)

// OTP is the one-time password that every fetch session expects.
const OTP = "123456"

const (
	fetchLife     = 10 * time.Minute
	fetchTries    = 3
	fetchFileLife = 24 * time.Hour
	maxPeriods    = 24
)

var boIDForm = regexp.MustCompile(`^[0-9]{16}$`)

// fetch is a session at the depository, waiting for its OTP.
type fetch struct {
	account *account
	expires time.Time
	tries   int
}

// requestOTP begins a session. The vendor takes 15 to 20 s for it, the sandbox none.
func (s *Sandbox) requestOTP(c *call) (reply, error) {
	var req struct {
		PAN  string `json:"pan"`
		BOID string `json:"bo_id"`
		DOB  string `json:"dob"`
	}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	switch _, err := time.Parse(time.DateOnly, req.DOB); {
	case !panForm.MatchString(req.PAN):
		return reply{}, bad("pan is required and must be a PAN")
	case !boIDForm.MatchString(req.BOID):
		return reply{}, bad("bo_id is required and has 16 digits")
	case err != nil:
		return reply{}, bad("dob is required as YYYY-MM-DD")
	}
	id := newID("cs_")
	s.fetches.put(id, fetch{account: c.account, expires: s.opts.Now().Add(fetchLife)})
	return ok(struct {
		Status    string `json:"status"`
		SessionID string `json:"session_id"`
		Msg       string `json:"msg"`
	}{"success", id, "OTP sent to the registered mobile number"})
}

// fetchedFile is one downloaded statement.
type fetchedFile struct {
	Filename string `json:"filename"`
	URL      string `json:"url"`
}

// verifyOTP ends a session: with the right OTP it gives the statements, after
// the third wrong one, or too late, the session is gone.
func (s *Sandbox) verifyOTP(c *call) (reply, error) {
	req := struct {
		OTP     string `json:"otp"`
		Periods int    `json:"num_periods"`
	}{Periods: 6}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	if req.OTP == "" {
		return reply{}, bad("otp is required")
	}
	if req.Periods < 1 || req.Periods > maxPeriods {
		return reply{}, bad("num_periods must be between 1 and 24")
	}
	right, err := s.tryOTP(c, req.OTP)
	if err != nil {
		return reply{}, err
	}
	if !right {
		return reply{}, bad("Invalid OTP")
	}
	return ok(struct {
		Status string        `json:"status"`
		Msg    string        `json:"msg"`
		Files  []fetchedFile `json:"files"`
	}{"success", "Statements fetched", s.fetchFiles(c.base, req.Periods)})
}

func (s *Sandbox) tryOTP(c *call, otp string) (right bool, err error) {
	id := c.r.PathValue("session")
	alive, over := false, false
	s.fetches.change(id, func(f *fetch) {
		alive = f.account == c.account && s.opts.Now().Before(f.expires) && f.tries < fetchTries
		if alive {
			f.tries++
			right = otp == OTP
			over = right || f.tries == fetchTries
		}
	})
	if !alive {
		return false, missing("Session")
	}
	if over && !s.fetches.remove(id) {
		return false, missing("Session") // another call ended it at the same moment
	}
	return right, nil
}

func (s *Sandbox) fetchFiles(base string, periods int) []fetchedFile {
	now := s.opts.Now().UTC()
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	files := make([]fetchedFile, periods)
	for i := range files {
		last := first.AddDate(0, -i, -1) // the last day of a finished month
		f := file{source: cdsl, day: last.Format(time.DateOnly), expires: now.Add(fetchFileLife)}
		f.name = cdsl.fileName(last.Format("20060102"), newID("")[:8])
		link, _ := s.keepFile(base, f)
		files[i] = fetchedFile{f.name, link}
	}
	return files
}
