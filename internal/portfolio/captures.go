package portfolio

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"casbroker/internal/audit"
	"casbroker/internal/fault"
	"casbroker/internal/id"
	"casbroker/internal/statement"
)

const (
	// captureBatch is how many captures are listed at a time.
	captureBatch = 50
	// captureBytes bounds the payloads that are saved at the same time; one of the maximum
	// size at a time.
	captureBytes = 16 << 20
	// keepTimeout bounds how long a capture is in memory while the database is unavailable,
	// and firstSave how long the first save takes then.
	keepTimeout = 10 * time.Minute
	firstSave   = 30 * time.Second
	// firstKeep and lastKeep bound the time between two tries to store a capture, which
	// doubles.
	firstKeep, lastKeep = 250 * time.Millisecond, 5 * time.Second
	// closeTimeout bounds Close.
	closeTimeout = 10 * time.Second
	// keepWait is how long the end of an answer waits until the answer is stored.
	keepWait = time.Second
	// settleTimeout bounds Settle.
	settleTimeout = 3 * time.Second
	// reportEvery bounds how often it is logged that answers are not saved.
	reportEvery = time.Minute
	// firstRetry and lastRetry bound the time between two tries, which doubles.
	firstRetry, lastRetry = 10 * time.Second, time.Hour
)

// Captures stores answers of the vendor and saves them as portfolios, or has them matched
// with what users post. The exported fields are required but MatchOnly and Observe. It is
// safe for concurrent use.
type Captures struct {
	Store      CaptureStore
	Portfolios *Service
	Log        *slog.Logger
	Now        func() time.Time
	MatchOnly  bool                 // saves no portfolios
	Observe    func(outcome string) // called with one of the constants; nil means not at all

	once   sync.Once
	saving *semaphore.Weighted // bytes of payloads
	closed chan struct{}

	mu       sync.Mutex
	running  map[string]*captureGroup // by subject
	reported time.Time                // when report last logged that answers are not saved; zero while they are
	all      sync.WaitGroup
}

// captureGroup are the answers of one user that are on their way.
type captureGroup struct {
	n    int
	done chan struct{} // closed once n is 0
}

// Begin announces an answer of the vendor for subject, to the recorded call callID, which
// gets the id of the portfolio.
//
// keep is called with the whole answer before its last byte is passed on. It returns once
// the answer is durable; if that takes longer than keepWait, the answer is stored in the
// background, and lost if the broker is killed before. It is tried again while the database
// is unavailable. The caller must call end once: with nil after keep, or with the reason why
// there is no answer. end returns when the answer is saved, or is left for another try; it
// takes no longer than keepTimeout and firstSave.
func (c *Captures) Begin(subject, callID string) (keep func(answer []byte), end func(err error)) {
	g := c.enter(subject)
	k := keeping{captures: c, capture: Capture{Subject: subject, CallID: callID}}
	return k.keep, func(err error) {
		defer c.leave(subject, g)
		k.end(err)
	}
}

// enter adds an answer of subject, which leave removes.
func (c *Captures) enter(subject string) *captureGroup {
	c.init()
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.running[subject]
	if g == nil {
		if c.running == nil {
			c.running = map[string]*captureGroup{}
		}
		g = &captureGroup{done: make(chan struct{})}
		c.running[subject] = g
	}
	g.n++
	c.all.Add(1)
	return g
}

// keeping is one answer that is on its way.
type keeping struct {
	captures *Captures
	capture  Capture
	stored   chan error // gets the result of storing the capture, and is then closed
}

// keep stores the answer.
func (k *keeping) keep(answer []byte) {
	c := k.captures
	k.capture.ID, k.capture.Payload = id.New("ca"), answer
	k.capture.At = c.Now().UTC().Truncate(time.Millisecond)
	k.stored = make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.stored <- k.store()
	}()
	wait := time.NewTimer(keepWait)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
		c.Log.Warn("an answer of the vendor is passed on before it is stored, since the database is slow")
	}
}

// store stores the answer, as soon as the database is available.
func (k *keeping) store() error {
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	for pause := firstKeep; ; pause = min(2*pause, lastKeep) {
		capture := k.capture
		if capture.Delay > 0 { // this process has the time from now on, also if storing it has taken long
			capture.Delay += k.captures.Now().Sub(capture.At)
		}
		err := k.captures.Store.KeepCapture(ctx, capture)
		f, isFault := errors.AsType[*fault.Fault](err)
		if err == nil || !isFault || f.Kind != fault.Unavailable {
			return err
		}
		select {
		case <-time.After(pause):
		case <-k.captures.closed:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// end saves the answer, if keep could store it.
func (k *keeping) end(err error) {
	c := k.captures
	if err != nil {
		c.Log.Warn("an answer of the vendor is not saved, since there is no complete copy of it", "error", err)
		c.observe(CaptureSkipped)
		return
	}
	if err := <-k.stored; err != nil {
		c.Log.Error("an answer of the vendor is lost: it cannot be stored; the user can still save it", "error", err)
		c.observe(CaptureLost)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstSave)
	defer cancel()
	if err := c.save(ctx, k.capture); err != nil {
		c.Log.WarnContext(ctx, "an answer of the vendor is not saved yet", "capture", k.capture.ID, "error", err)
	}
}

func (c *Captures) leave(subject string, g *captureGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g.n--; g.n == 0 {
		delete(c.running, subject)
		close(g.done)
	}
	c.all.Done()
}

func (c *Captures) init() {
	c.once.Do(func() { c.saving, c.closed = semaphore.NewWeighted(captureBytes), make(chan struct{}) })
}

// Settle waits until the answers that the vendor has just given to subject are saved, at
// most settleTimeout.
func (c *Captures) Settle(ctx context.Context, subject string) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	c.mu.Lock()
	g := c.running[subject]
	c.mu.Unlock()
	if g != nil {
		select {
		case <-g.done:
		case <-ctx.Done():
		}
	}
	err := c.saveDue(ctx, subject) // another replica may have seen them
	switch {
	case err == nil || errors.Is(ctx.Err(), context.Canceled):
	case errors.Is(err, errCaptureStuck):
		c.report(ctx, err)
	default: // they are postponed
		c.Log.WarnContext(ctx, "answers of the vendor are not saved yet", "error", err)
	}
}

// report logs that answers stay due, since the database fails, at most once every reportEvery, and with a nil
// err that they do not any more, once.
func (c *Captures) report(ctx context.Context, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, inProgress := c.Now(), 0
	for _, g := range c.running {
		inProgress += g.n
	}
	switch {
	case err != nil && (c.reported.IsZero() || now.Sub(c.reported) >= reportEvery):
		c.reported = now
		c.Log.WarnContext(ctx, "answers of the vendor are not saved, since the database fails; they are tried again", "in_progress", inProgress, "error", err)
	case err == nil && !c.reported.IsZero():
		c.reported = time.Time{}
		c.Log.InfoContext(ctx, "the database works again: answers of the vendor are saved")
	}
}

// Run saves the captures that are due, and deletes those that were matched for long
// enough. It is meant to be called periodically.
func (c *Captures) Run(ctx context.Context) error {
	err := c.saveDue(ctx, "")
	if ctx.Err() == nil && !errors.Is(err, errCaptureStuck) {
		c.report(ctx, nil)
	}
	return errors.Join(c.Store.DropObserved(ctx, c.Now()), err)
}

// Close waits for the answers that are on their way, at most closeTimeout. Those that could
// not be stored by then are lost.
func (c *Captures) Close() {
	c.init()
	defer close(c.closed)
	done := make(chan struct{})
	go func() {
		c.all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeTimeout):
		c.Log.Warn("the broker ends before all answers of the vendor are saved")
	}
}

// saveDue saves the due captures of subject, or of all users if that is "". Its error is errCaptureStuck if some
// stay due.
func (c *Captures) saveDue(ctx context.Context, subject string) error {
	var errs []error
	for {
		ids, err := c.Store.DueCaptures(ctx, subject, c.Now(), captureBatch)
		if err != nil {
			return errors.Join(append(errs, errCaptureStuck, err)...)
		}
		for _, captureID := range ids {
			err := c.saveStored(ctx, captureID)
			if err != nil {
				errs = append(errs, err)
			}
			if ctx.Err() != nil || errors.Is(err, errCaptureStuck) {
				return errors.Join(errs...)
			}
		}
		if len(ids) < captureBatch {
			return errors.Join(errs...)
		}
	}
}

// errCaptureStuck is returned for captures that stay due, since the database failed.
var errCaptureStuck = errors.New("captures stay due")

func (c *Captures) saveStored(ctx context.Context, captureID string) error {
	capture, err := c.Store.Capture(ctx, captureID)
	switch {
	case errors.Is(err, ErrNoCapture):
		return nil
	case errors.Is(err, ErrUnreadable):
		if failed := c.Store.FreeKeyOf(ctx, captureID); failed != nil { // it may stay unreadable for long
			return errors.Join(errCaptureStuck, err, failed)
		}
		return c.postpone(ctx, capture, err)
	case err != nil:
		return errors.Join(errCaptureStuck, err)
	}
	return c.save(ctx, capture)
}

// save saves a stored capture, or drops it if it cannot be a portfolio. It returns an
// error if the capture is tried again.
func (c *Captures) save(ctx context.Context, capture Capture) error {
	c.init()
	size := min(int64(len(capture.Payload)), captureBytes)
	if err := c.saving.Acquire(ctx, size); err != nil { // ctx has ended
		return err
	}
	defer c.saving.Release(size)
	outcome, err := c.saveOrMatch(ctx, capture)
	return c.conclude(ctx, capture, outcome, err)
}

// conclude counts what became of a capture, and drops one that cannot be a portfolio. It
// returns an error if the capture is tried again.
func (c *Captures) conclude(ctx context.Context, capture Capture, outcome string, err error) error {
	f, isFault := errors.AsType[*fault.Fault](err)
	switch {
	case err == nil:
		c.observe(outcome)
	case errors.Is(err, ErrNoCapture): // saved by another replica, or erased
		return nil
	case isFault && (f.Kind == fault.Invalid || f.Kind == fault.Unprocessable || f.Kind == fault.Conflict):
		c.Log.InfoContext(ctx, "an answer of the vendor is not saved as a portfolio", "capture", capture.ID, "code", f.Code)
		c.observe(CaptureRefused)
		if err := c.Store.DropCapture(ctx, capture.ID); err != nil {
			return errors.Join(errCaptureStuck, err)
		}
	default:
		return c.postpone(ctx, capture, err)
	}
	return nil
}

// postpone makes a capture due again later, and returns err.
func (c *Captures) postpone(ctx context.Context, capture Capture, err error) error {
	c.observe(CaptureFailed)
	wait := min(firstRetry<<min(capture.Tries, 16), lastRetry)
	if failed := c.Store.PostponeCapture(ctx, capture.ID, c.Now().Add(wait)); failed != nil {
		return errors.Join(errCaptureStuck, err, failed)
	}
	return err
}

func (c *Captures) observe(outcome string) {
	if c.Observe != nil {
		c.Observe(outcome)
	}
}

// saveOrMatch saves a stored capture, or has it matched. It returns what became of it.
func (c *Captures) saveOrMatch(ctx context.Context, capture Capture) (outcome string, err error) {
	st, err := statement.Parse(capture.Payload, c.Now())
	if err != nil {
		return "", err
	}
	if c.MatchOnly && !capture.Uploaded {
		r := audit.New(ctx, c.Now(), audit.Broker, audit.PortfolioSave, capture.Subject, "").WithDetail(string(Verified))
		known, err := c.Store.ObserveCapture(ctx, ObserveRequest{
			Capture: capture, Statement: *st, Until: capture.At.Add(observedFor), Record: r,
		})
		if known {
			return CaptureKnown, err
		}
		return CaptureMatched, err
	}
	r := audit.New(ctx, c.Now(), audit.Broker, audit.PortfolioSave, capture.Subject, "")
	res, err := c.Portfolios.saveCapture(ctx, capture, st, r, nil)
	if res.Created {
		return CaptureSaved, err
	}
	return CaptureKnown, err
}

// saveCapture saves c, which is st, as a Verified portfolio. It completes r, and claim
// unless that is nil.
func (s *Service) saveCapture(ctx context.Context, c Capture, st *statement.Statement, r audit.Record, claim *Claim) (SaveResult, error) {
	now := s.Now().UTC().Truncate(time.Millisecond)
	p := Portfolio{
		ID: id.New("pf"), Subject: c.Subject, Provenance: Verified, ObservedAt: c.At, SavedAt: now, Summary: st.Summary,
	}
	r.Object = p.ID
	res, err := s.Store.SavePortfolio(ctx, SaveRequest{
		Portfolio: p, Statement: *st, Payload: c.Payload, RefuseOther: s.RefuseOther, Quota: s.Quota, Render: renderSaved,
		Capture: c.ID, Job: c.Job, Claim: claim, Record: r.WithDetail(string(Verified)),
	})
	if err == nil && s.Observe != nil {
		s.Observe(res.Created)
	}
	s.saved(st, res, err)
	return res, err
}
