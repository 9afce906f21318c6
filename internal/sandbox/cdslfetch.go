package sandbox

import (
	"regexp"
	"time"
)

// OTP is the one-time password that every fetch session expects.
const OTP = "123456"

const (
	fetchSessionTTL = 10 * time.Minute
	maxOTPTries     = 3
	fetchedFileTTL  = 24 * time.Hour
	maxPeriods      = 24
	defaultPeriods  = 6
)

var boIDPattern = regexp.MustCompile(`^[0-9]{16}$`)

// fetchSession is a session at the depository that waits for its OTP.
type fetchSession struct {
	account  *account
	investor string // persona id; "" for an unknown investor
	expires  time.Time
	tries    int
}

// requestOTP starts a session. The vendor takes 15 to 20 s, the sandbox no time. The BO
// ID and the date of birth of a persona must be its own; those of others are not checked.
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
	case !panPattern.MatchString(req.PAN):
		return reply{}, badRequest("pan is required and must be a PAN")
	case !boIDPattern.MatchString(req.BOID):
		return reply{}, badRequest("bo_id is required and has 16 digits")
	case err != nil:
		return reply{}, badRequest("dob is required as YYYY-MM-DD")
	}
	p, known := findPersona(func(p Persona) bool { return p.PAN == req.PAN })
	if known && (p.BOID != req.BOID || p.DOB != req.DOB) {
		return reply{}, badRequest("pan, bo_id and dob are not those of one investor")
	}
	id := newID("cs_")
	s.fetchSessions.put(id, fetchSession{account: c.account, investor: p.ID, expires: s.opts.Now().Add(fetchSessionTTL)})
	return otpSent(id)
}

func otpSent(sessionID string) (reply, error) {
	return ok(struct {
		Status    string `json:"status"`
		SessionID string `json:"session_id"`
		Msg       string `json:"msg"`
	}{"success", sessionID, "OTP sent to the registered mobile number"})
}

// fetchedFile is one downloaded statement.
type fetchedFile struct {
	Filename string `json:"filename"`
	URL      string `json:"url"`
}

// verifyOTP answers the right OTP with the statements and ends the session. The
// third wrong OTP ends it too.
func (s *Sandbox) verifyOTP(c *call) (reply, error) {
	req := struct {
		OTP     string `json:"otp"`
		Periods int    `json:"num_periods"`
	}{Periods: defaultPeriods}
	if err := readJSON(c.r, &req); err != nil {
		return reply{}, err
	}
	if req.OTP == "" {
		return reply{}, badRequest("otp is required")
	}
	if req.Periods < 1 || req.Periods > maxPeriods {
		return reply{}, badRequest("num_periods must be between 1 and 24")
	}
	right, investor, err := s.checkOTP(c, req.OTP)
	if err != nil {
		return reply{}, err
	}
	if !right {
		return reply{}, badRequest("Invalid OTP")
	}
	return s.fetched(c, investor, req.Periods)
}

// fetched answers with the statements of the last periods months.
func (s *Sandbox) fetched(c *call, investor string, periods int) (reply, error) {
	return ok(struct {
		Status string        `json:"status"`
		Msg    string        `json:"msg"`
		Files  []fetchedFile `json:"files"`
	}{"success", "Statements fetched", s.addFetchedFiles(c.base, investor, periods)})
}

// checkOTP counts a try, reports whether otp is right and returns the session's
// investor. It removes the session after the right one and after the last try.
func (s *Sandbox) checkOTP(c *call, otp string) (right bool, investor string, err error) {
	id := c.r.PathValue("session")
	valid, ended := false, false
	s.fetchSessions.change(id, func(f *fetchSession) {
		valid = f.account == c.account && s.opts.Now().Before(f.expires) && f.tries < maxOTPTries
		if valid {
			f.tries++
			right, investor = otp == OTP, f.investor
			ended = right || f.tries == maxOTPTries
		}
	})
	if !valid {
		return false, "", notFound("Session")
	}
	if ended && !s.fetchSessions.remove(id) {
		return false, "", notFound("Session") // a concurrent call ended it
	}
	return right, investor, nil
}

// addFetchedFiles makes one statement available for each of the last finished
// months, newest first.
func (s *Sandbox) addFetchedFiles(base, investor string, periods int) []fetchedFile {
	now := s.opts.Now().UTC()
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	files := make([]fetchedFile, periods)
	for i := range files {
		last := first.AddDate(0, -i, -1) // the last day of a finished month
		f := file{content: content{cdsl, investor}, day: last.Format(time.DateOnly), expires: now.Add(fetchedFileTTL)}
		f.name = cdsl.fileName(last.Format("20060102"), newID("")[:8])
		link, _ := s.addFile(base, f)
		files[i] = fetchedFile{f.name, link}
	}
	return files
}
