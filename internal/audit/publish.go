package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// publishTimeout bounds one publication, also the last one at a stop.
const publishTimeout = 10 * time.Second

// Publisher writes anchors to where they outlive the database: the log, and by choice a
// file and an address. Trail, Log and Now are required. It must not be copied.
type Publisher struct {
	Trail  *Service
	Log    *slog.Logger
	Now    func() time.Time
	File   string // that anchors are appended to, a line each; "" for none
	URL    string // that anchors are posted to as text/plain; "" for none
	Client *http.Client

	mu   sync.Mutex
	used bool
}

// Publish writes an anchor of the trail as it is. It tries all places, and fails if one does.
func (p *Publisher) Publish(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = true
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	a, err := p.Trail.NewAnchor(ctx, p.Now())
	if err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "audit anchor", "anchor", a.String())
	line := a.String() + "\n"
	return errors.Join(p.append(line), p.post(ctx, line))
}

// Close publishes a last anchor, unless there was none.
func (p *Publisher) Close() error {
	p.mu.Lock()
	used := p.used
	p.mu.Unlock()
	if !used {
		return nil
	}
	return p.Publish(context.Background())
}

// append adds line to the file and waits until it is on the disk.
func (p *Publisher) append(line string) (err error) {
	if p.File == "" {
		return nil
	}
	f, err := os.OpenFile(p.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Sync()
}

// post sends line to the address.
func (p *Publisher) post(ctx context.Context, line string) error {
	if p.URL == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, strings.NewReader(line))
	if err != nil {
		return errors.New("post an audit anchor: audit.anchor.url is not valid")
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := p.Client.Do(r)
	if err != nil {
		return fmt.Errorf("post an audit anchor: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("post an audit anchor: the answer is %d", answer.StatusCode)
	}
	return nil
}
