package ingest

import (
	"context"
	"crypto/sha256"
	"hash"
	"net/http"
	"time"

	"casbroker/internal/auth"
	"casbroker/internal/httpapi"
)

// Parser has the vendor parse documents.
type Parser interface {
	// Parse sends the body of r to the vendor and returns its answer, whatever the status. A
	// successful answer is copied to the Copy. sum gets what the caller sent. w is only used
	// for the deadlines of its connection, and may be nil.
	Parse(w http.ResponseWriter, r *http.Request, p Parsing) (Answer, error)
	// Read reads the body of r into memory without sending it, with the same checks.
	Read(w http.ResponseWriter, r *http.Request, subject string, sum hash.Hash, memory *httpapi.BodyShare) ([]byte, error)
}

// Parsing is a call of Parser.
type Parsing struct {
	Subject   string
	RequestID string // or the id of a job, which reports a failure itself
	Copy      Copy
	// Before is called right before the vendor gets the document, which is not sent if it
	// returns an error.
	Before func(ctx context.Context) error
	Sum    hash.Hash
}

// Copy gets a copy of a successful answer of the vendor, as gateway.Captures describes.
type Copy interface {
	Begin(subject, callID string) (keep func(answer []byte), end func(err error))
}

// Answer is the vendor's answer.
type Answer struct {
	Status int
	Header http.Header // Retry-After
	Body   []byte
}

// Saver saves the vendor's answers as portfolios.
type Saver interface {
	// Upload announces a statement of who. key is the caller's Idempotency-Key or "".
	// answered is true if a request with this key was answered: Replay has the answer if
	// that had the same document.
	Upload(ctx context.Context, who auth.Principal, key string) (u Upload, answered bool, err error)
	// CheckQuota returns a fault if who may have no more statements.
	CheckQuota(ctx context.Context, who auth.Principal) error
	// Resume announces the statement of a job, which is Done once it is saved.
	Resume(who auth.Principal, jobID string) Upload
	Replay(ctx context.Context, who auth.Principal, key string, document [sha256.Size]byte) (Saved, error)
	// Payload returns the stored answer of the vendor.
	Payload(ctx context.Context, who auth.Principal, portfolioID string) ([]byte, error)
}

// Upload is a statement on its way to the vendor and back. Close must be called.
type Upload interface {
	Copy
	// Confirm returns an error if another request has got the Idempotency-Key of this one.
	Confirm(ctx context.Context) error
	// Save saves the answer that was copied. It returns httpapi.ErrSavePending if that is saved later.
	Save(ctx context.Context, document [sha256.Size]byte) (Saved, error)
	Close(ctx context.Context)
}

// Saved is a statement that was saved.
type Saved struct {
	PortfolioID string
	Created     bool   // false if it was saved before
	Replayed    bool   // the answer of an earlier request with the same key
	Body        []byte // JSON: the portfolio, for the caller
	Data        []byte // JSON: the vendor's answer
}

// Service saves statements that users send.
type Service struct {
	Parser Parser
	Saver  Saver
	Memory *httpapi.BodyMemory // of documents that are received, but not passed on; see NewMemory
}

const (
	// documentSize is more than a document can have, in bytes.
	documentSize = 16 << 20
	// maxReading is how many documents of that size may be in memory.
	maxReading = 8
	// maxWait bounds how long a document waits for memory.
	maxWait = 5 * time.Second
)

// NewMemory returns the memory of documents.
func NewMemory() *httpapi.BodyMemory { return httpapi.NewBodyMemory(documentSize, maxReading, maxWait) }

// Import has the vendor parse the document in the body of r, and saves it for who. w is as
// for Parser.Parse.
func (s *Service) Import(w http.ResponseWriter, r *http.Request, who auth.Principal, key, requestID string) (Saved, error) {
	ctx := r.Context()
	up, answered, err := s.Saver.Upload(ctx, who, key)
	switch {
	case answered:
		return s.replay(w, r, who, key)
	case err != nil:
		return Saved{}, err
	default:
		return s.send(w, r, up, Parsing{Subject: who.Subject, RequestID: requestID})
	}
}

// run is Import for a job.
func (s *Service) run(w http.ResponseWriter, r *http.Request, who auth.Principal, jobID string) (Saved, error) {
	return s.send(w, r, s.Saver.Resume(who, jobID), Parsing{Subject: who.Subject, RequestID: jobID})
}

// send sends a document to the vendor and saves the answer. It sets Copy, Before and Sum of p.
func (s *Service) send(w http.ResponseWriter, r *http.Request, up Upload, p Parsing) (Saved, error) {
	ctx := r.Context()
	defer up.Close(ctx)
	sum := sha256.New()
	p.Copy, p.Before, p.Sum = up, up.Confirm, sum
	answer, err := s.Parser.Parse(w, r, p)
	if err != nil {
		return Saved{}, explain(err)
	}
	if err := failureOf(answer); err != nil {
		return Saved{}, err
	}
	saved, err := up.Save(ctx, [sha256.Size]byte(sum.Sum(nil)))
	saved.Data = answer.Body
	return saved, err
}

// replay answers a request with a key that was used before.
func (s *Service) replay(w http.ResponseWriter, r *http.Request, who auth.Principal, key string) (Saved, error) {
	ctx, sum := r.Context(), sha256.New()
	memory := s.Memory.Share()
	defer memory.Release()
	if _, err := s.Parser.Read(w, r, who.Subject, sum, memory); err != nil {
		return Saved{}, explain(err)
	}
	saved, err := s.Saver.Replay(ctx, who, key, [sha256.Size]byte(sum.Sum(nil)))
	if err != nil {
		return Saved{}, err
	}
	saved.Data, err = s.Saver.Payload(ctx, who, saved.PortfolioID)
	return saved, err
}
