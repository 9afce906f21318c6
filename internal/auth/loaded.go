package auth

import (
	"context"
	"errors"
	"fmt"
)

// Loaded waits for the first load of all keys, and returns an error that names the verifiers
// whose first load failed, or was not finished before ctx ended.
func (a *Authenticator) Loaded(ctx context.Context) error {
	var missing []error
	for _, v := range a.all {
		if r, ok := v.keys.(*remoteKeys); ok {
			select {
			case <-r.firstLoad():
			case <-ctx.Done():
			}
		}
		if err := v.keys.ready(a.now().Unix()); err != nil {
			missing = append(missing, fmt.Errorf("verifier %q %w%s", v.name, err, because(v.keys)))
		}
	}
	return errors.Join(missing...)
}

// firstLoad returns a channel that is closed when the load that runs now ends.
func (r *remoteKeys) firstLoad() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return r.done
}

// because returns why the last load of keys failed, after a colon, "" if it did not.
func because(keys any) string {
	r, ok := keys.(*remoteKeys)
	if !ok {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return ""
	}
	return ": " + r.failed.Error()
}
