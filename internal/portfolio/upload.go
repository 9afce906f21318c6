package portfolio

import (
	"context"
	"errors"
	"sync"
	"time"

	"casbroker/internal/audit"
	"casbroker/internal/auth"
	"casbroker/internal/fault"
	"casbroker/internal/statement"
)

// routeUpload is the route under which Idempotency-Keys of uploads are stored.
const routeUpload = "POST /v1/statements"

// uploadDelay is how long only the process that got the vendor's answer tries to save it, from
// the attempt to store it.
const uploadDelay = 10 * time.Second

var (
	// ErrKeyAnswered is returned for the claim of a request that is not read yet, if one
	// with this key was answered: the bodies must be compared.
	ErrKeyAnswered = fault.New(fault.Conflict, "idempotency_answered", "A request with this Idempotency-Key was answered before.")
	errNoCopy      = fault.New(fault.Unavailable, "save_unavailable",
		"The statement was read, but could not be saved; send it again.").After(30 * time.Second)
)

// Uploads saves statements that users send to the broker, as soon as the vendor has parsed
// them.
type Uploads struct{ *Captures }

// Upload is a statement on its way to the vendor and back.
type Upload struct {
	uploads *Uploads
	who     auth.Principal
	job     string   // "" for none
	key     *heldKey // nil without an Idempotency-Key

	kept    keeping
	group   *captureGroup // nil until the vendor answers
	stored  chan error    // gets whether the vendor's answer is stored
	body    *[32]byte     // hash of what the caller sent; nil until Save
	outcome uploadOutcome
}

// uploadOutcome is what became of the vendor's answer to an Upload.
type uploadOutcome int

const (
	uploadOpen    uploadOutcome = iota // there is no answer, or it is not stored yet, or Save was not called
	uploadSaved                        // it is a portfolio, which is the answer to repetitions
	uploadPending                      // it is stored, and saved later
	uploadRefused                      // it cannot be a portfolio
	uploadLost                         // it cannot be stored
)

// Upload announces a statement of who, with the caller's Idempotency-Key or "". It returns
// the faults of a claim, and ErrKeyAnswered if Replay may have the answer. An answer to an
// earlier request with the key that is not saved yet is saved, if that is possible. The caller
// must call Close.
func (u *Uploads) Upload(ctx context.Context, who auth.Principal, key string) (*Upload, error) {
	up := &Upload{uploads: u, who: who, stored: make(chan error, 1)}
	if key == "" {
		return up, nil
	}
	held, earlier, err := u.claim(ctx, who, key)
	if errors.Is(err, ErrSavePending) {
		u.Settle(ctx, who.Subject)
		held, earlier, err = u.claim(ctx, who, key)
	}
	switch {
	case err != nil:
		return nil, err
	case earlier != nil:
		return nil, ErrKeyAnswered
	}
	up.key = held
	return up, nil
}

// claim claims the key of a statement that is not received yet.
func (u *Uploads) claim(ctx context.Context, who auth.Principal, key string) (*heldKey, *SaveResult, error) {
	claim := u.Portfolios.newClaim(who, routeUpload, key)
	claim.Streamed = true
	return u.Portfolios.claimKey(ctx, claim)
}

// Resume announces the statement of a job. The job is done once it is saved.
func (u *Uploads) Resume(who auth.Principal, jobID string) *Upload {
	return &Upload{uploads: u, who: who, job: jobID, stored: make(chan error, 1)}
}

// Replay returns the answer to an earlier request of who with key, whose body had this
// hash.
func (u *Uploads) Replay(ctx context.Context, who auth.Principal, key string, body [32]byte) (SaveResult, error) {
	claim := u.Portfolios.newClaim(who, routeUpload, key)
	claim.Body = body
	held, earlier, err := u.Portfolios.claimKey(ctx, claim)
	if held != nil { // the answer expired meanwhile
		held.free(ctx)
		err = ErrKeyInFlight
	}
	if err != nil {
		return SaveResult{}, err
	}
	return *earlier, nil
}

// Confirm returns ErrKeyInFlight if another request has got the Idempotency-Key of this one,
// and ErrQuota if the user may have no more statements: then no credit is spent on this one,
// although it may be one that the user has. It is called right before the vendor gets the
// statement.
func (up *Upload) Confirm(ctx context.Context) error {
	if err := up.uploads.Portfolios.CheckQuota(ctx, up.who.Subject); err != nil {
		return err
	}
	if up.key == nil {
		return nil
	}
	return up.key.confirm(ctx)
}

// Begin announces the vendor's answer, as Captures.Begin does. The answer is stored, but
// only saved by Save.
func (up *Upload) Begin(subject, callID string) (keep func(answer []byte), end func(err error)) {
	c := up.uploads.Captures
	up.group = c.enter(subject)
	capture := Capture{Subject: subject, CallID: callID, Uploaded: true, Job: up.job, Delay: uploadDelay}
	if up.key != nil {
		capture.Key = &up.key.claim
	}
	up.kept = keeping{captures: c, capture: capture}
	var once sync.Once
	return up.kept.keep, func(err error) {
		once.Do(func() {
			if err == nil {
				err = <-up.kept.stored
			}
			up.stored <- err
		})
	}
}

// Save saves the vendor's answer as a Verified portfolio. body is the hash of what the
// caller sent. It returns a fault if the answer is not a statement, or may not be saved.
func (up *Upload) Save(ctx context.Context, body [32]byte) (SaveResult, error) {
	if up.group == nil {
		return SaveResult{}, errNoCopy
	}
	ctx = context.WithoutCancel(ctx)
	patience := saveTimeout
	if up.job != "" { // no caller waits, and the job must not end before it is known that the answer is stored
		patience = keepTimeout + saveTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSaveTimeout)
	defer cancel()
	up.body = &body
	select {
	case err := <-up.stored:
		if err != nil {
			up.stored <- err // for Close
			return SaveResult{}, errNoCopy.Because(err)
		}
	case <-ctx.Done():
		return SaveResult{}, up.pending(nil)
	}
	res, err := up.saveStored(ctx)
	if up.outcome == uploadPending {
		err = up.pending(err)
	}
	return res, err
}

// pending returns the fault of an answer that is not saved yet. Without a key it has no Retry-After: HTTP clients
// repeat a request by themselves then, which would have the vendor read the statement again.
func (up *Upload) pending(cause error) error {
	if up.key == nil {
		return ErrSavePending.Withf("The statement was read, but is not saved yet; look for it in some minutes.").After(0).Because(cause)
	}
	return ErrSavePending.Because(cause)
}

// saveStored tries once to save the answer, which is stored, and sets the outcome.
func (up *Upload) saveStored(ctx context.Context) (SaveResult, error) {
	var claim *Claim
	if up.key != nil && up.body != nil {
		withBody := up.key.claimFor(*up.body)
		claim = &withBody
	}
	res, again, err := up.save(ctx, claim)
	switch {
	case again != nil:
		up.outcome, err = uploadPending, again
	case err != nil:
		up.outcome = uploadRefused
	default:
		up.outcome = uploadSaved
	}
	return res, err
}

// save is saveStored with the claim of the key, nil for none. again is an error after which the
// capture stays stored, or is saved already.
func (up *Upload) save(ctx context.Context, claim *Claim) (res SaveResult, again, err error) {
	c, capture := up.uploads.Captures, up.kept.capture
	c.init()
	size := min(int64(len(capture.Payload)), captureBytes)
	if err := c.saving.Acquire(ctx, size); err != nil {
		return res, err, nil
	}
	defer c.saving.Release(size)
	st, err := statement.Parse(capture.Payload, c.Now())
	if err == nil {
		actor := up.who.Subject
		if up.job != "" {
			actor = audit.Broker
		}
		r := audit.New(ctx, c.Now(), actor, audit.PortfolioSave, capture.Subject, "")
		res, err = c.Portfolios.saveCapture(ctx, capture, st, r, claim)
		if errors.Is(err, ErrKeyInFlight) { // the lease ended: the statement is worth more than the key
			res, err = c.Portfolios.saveCapture(ctx, capture, st, r, nil)
		}
	}
	if errors.Is(err, ErrNoCapture) {
		return up.savedByAnother(ctx, claim, err)
	}
	outcome := CaptureKnown
	if res.Created {
		outcome = CaptureSaved
	}
	again = c.conclude(ctx, capture, outcome, err)
	return res, again, err
}

// savedByAnother returns the answer of another process, or of a read, that has saved the capture first
// and completed claim. gone is the error of this save; it is returned as again if the answer is not known.
func (up *Upload) savedByAnother(ctx context.Context, claim *Claim, gone error) (res SaveResult, again, err error) {
	if claim == nil {
		return res, gone, nil
	}
	keys := up.uploads.Portfolios.Keys
	held, err := keys.ExtendKey(ctx, *claim, claim.Until) // stores the hash of the body
	if err != nil || !held {
		return res, errors.Join(gone, err), nil
	}
	earlier, err := keys.ClaimKey(ctx, *claim)
	if err != nil || earlier == nil {
		return res, errors.Join(gone, err), nil
	}
	earlier.Replayed = false
	return *earlier, nil, nil
}

// Close frees the Idempotency-Key unless the statement is saved or will be. An answer that Save
// was not called for, or not stored yet when it was, is saved in the background.
func (up *Upload) Close(ctx context.Context) {
	if up.group != nil && up.outcome == uploadOpen {
		go up.saveLater(context.WithoutCancel(ctx)) // the database may be unavailable for long
		return
	}
	up.finishKey(ctx)
	up.leave()
}

// leave ends the wait of the user's reads for this answer.
func (up *Upload) leave() {
	if up.group != nil {
		up.uploads.leave(up.kept.capture.Subject, up.group)
	}
}

// saveLater saves the vendor's answer once it is stored. The Idempotency-Key stays claimed, and is
// free if the answer is lost or cannot be a portfolio.
func (up *Upload) saveLater(ctx context.Context) {
	c := up.uploads.Captures
	defer up.leave()
	defer up.finishKey(ctx)
	if err := <-up.stored; err != nil {
		c.Log.ErrorContext(ctx, "an answer of the vendor is lost: it cannot be stored", "error", err)
		c.observe(CaptureLost)
		up.outcome = uploadLost
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstSave)
	defer cancel()
	if _, err := up.saveStored(ctx); up.outcome == uploadPending {
		c.Log.WarnContext(ctx, "an answer of the vendor is not saved yet", "capture", up.kept.capture.ID, "error", err)
	}
}

// finishKey ends the request's hold of its Idempotency-Key, once the outcome is known.
func (up *Upload) finishKey(ctx context.Context) {
	switch {
	case up.key == nil:
	case up.outcome == uploadSaved:
		up.key.end()
	case up.outcome == uploadPending: // the capture has the key
		go up.key.handOver(context.WithoutCancel(ctx), up.body)
	default:
		up.key.free(ctx)
	}
}
