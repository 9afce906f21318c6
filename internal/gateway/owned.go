package gateway

import (
	"context"
	"net/http"
	"time"

	"casbroker/internal/fault"
	"casbroker/internal/secret"
)

// Kind is the kind of a Resource.
type Kind string

// The kinds of resources.
const (
	OTPSession Kind = "otp_session"
	Address    Kind = "inbound_email" // a forwarding address
	Mailbox    Kind = "inbox"
)

// Resource is something at the vendor that belongs to a user. The vendor itself knows only
// the account.
type Resource struct {
	Kind      Kind
	ID        string // the vendor's; "" for a mailbox
	Subject   string
	CreatedAt time.Time
	KeyName   string // of the API key that it was made with: another may be of another account; "" if it is not known
	// CallbackSecret is the last part of the URL at which the vendor reports the files of a
	// forwarding address; "" if it does not. It is stored as a keyed hash and never read back.
	CallbackSecret secret.Text
}

// Ownership stores which user has which resources. It is the same on all replicas.
type Ownership interface {
	// ClaimResource stores r. It returns false if it is another user's.
	ClaimResource(ctx context.Context, r Resource) (bool, error)
	// Resource returns a resource, the zero Resource if it is not known.
	Resource(ctx context.Context, kind Kind, id string) (Resource, error)
	// Resources returns the resources of subject, the oldest first. With kind "" it returns
	// those of all kinds.
	Resources(ctx context.Context, subject string, kind Kind) ([]Resource, error)
	// ReleaseResource removes a resource.
	ReleaseResource(ctx context.Context, kind Kind, id string) error

	Mailboxes
}

var errNoSession = fault.New(fault.NotFound, "not_found", "There is no such session; start again.")

// own returns missing if the resource in the path is not the caller's. The call gets the API
// key that it was made with.
func (x *exchange) own(ctx context.Context, kind Kind, missing error) error {
	key := ownedKey{x.token.GrantID, kind, x.resource}
	r, known := x.owned.get(key, x.Now())
	if !known {
		var err error
		if r, err = x.Owned.Resource(ctx, kind, x.resource); err != nil {
			return err
		}
	}
	if r.Subject != x.token.Subject {
		return missing
	}
	if !known && x.token.GrantID != "" { // else the call has no token
		x.owned.put(key, r, x.Now())
	}
	x.keyName = r.KeyName
	return nil
}

// release removes the address in the path, which the vendor does not have any more.
func (x *exchange) release(ctx context.Context) error {
	x.owned.remove(ownedKey{x.token.GrantID, Address, x.resource})
	return x.Owned.ReleaseResource(context.WithoutCancel(ctx), Address, x.resource)
}

// claim stores that the caller owns what an answer of the vendor has made. The caller may
// have gone meanwhile.
func (x *exchange) claim(ctx context.Context, kind Kind, id string) error {
	if !idPattern.MatchString(id) {
		return errBadAnswer.Because(errID)
	}
	claimed, err := x.Owned.ClaimResource(context.WithoutCancel(ctx), Resource{
		Kind: kind, ID: id, Subject: x.token.Subject, CreatedAt: x.Now(), KeyName: x.call.key.Name, CallbackSecret: x.callbackSecret,
	})
	if err == nil && !claimed {
		err = errBadAnswer.Because(errTaken)
	}
	return err
}

// startSession starts an OTP session, which is the caller's.
func (x *exchange) startSession(*http.Request) error {
	x.inspect = func(ctx context.Context, a *smallAnswer) error {
		var made struct {
			SessionID string `json:"session_id"`
		}
		if a.failed() || a.decode(&made) != nil || made.SessionID == "" {
			return nil // the vendor may report a failure with 200
		}
		return x.claim(ctx, OTPSession, made.SessionID)
	}
	return nil
}

// useSession sends the OTP of a session of the caller.
func (x *exchange) useSession(r *http.Request) error {
	return x.own(r.Context(), OTPSession, errNoSession)
}
