// The example saves a user's statement, reads the holdings and what has happened, and
// receives the webhook. BROKER_URL, SERVICE_KEY and WEBHOOK_SECRET are in the environment:
//
//	go run ./web/clients/go/example demo:go statement.pdf PASSWORD
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	casbroker "casbroker/web/clients/go"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: example USER FILE PASSWORD")
		os.Exit(2)
	}
	err := run(os.Args[1], os.Args[2], os.Args[3])
	var problem *casbroker.Error
	if errors.As(err, &problem) {
		fmt.Fprintln(os.Stderr, problem.Status, problem.Code, problem.Detail) // such as 422 invalid_password
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func run(user, path, password string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	received := make(chan casbroker.Event, 100)
	receiver := &http.Server{Addr: "127.0.0.1:9000", Handler: receive(received), ReadTimeout: time.Minute}
	go func() { fmt.Fprintln(os.Stderr, receiver.ListenAndServe()) }()

	file, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()

	broker := casbroker.New(os.Getenv("BROKER_URL"), os.Getenv("SERVICE_KEY"))
	saved, _, err := broker.ImportStatementFor(ctx, user, casbroker.ImportStatementForParams{},
		casbroker.StatementForm{PDFFile: file, Password: password})
	if err != nil {
		return err
	}
	page, err := broker.ListHoldingsOf(ctx, user, saved.ID, casbroker.ListHoldingsOfParams{Limit: 100})
	if err != nil {
		return err
	}
	for _, h := range page.Holdings {
		fmt.Println(saved.Provenance, h.Class, h.Name, h.Value)
	}

	for after, seen := "", false; !seen; {
		list, err := broker.ListEvents(ctx, casbroker.ListEventsParams{After: after, Wait: 30})
		if err != nil {
			return err
		}
		for _, e := range list.Events {
			fmt.Println("event", e.Type, e.Data.Subject)
			seen = seen || e.Data.Subject == user
		}
		after = list.NextAfter // a back end keeps it
	}
	for {
		select {
		case e := <-received:
			fmt.Println("webhook", e.Type, e.Data.Subject)
			if e.Data.Subject == user {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive takes webhooks, and refuses those that the broker has not signed.
func receive(events chan<- casbroker.Event) http.HandlerFunc {
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	return func(w http.ResponseWriter, r *http.Request) {
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var event casbroker.Event
		if errors.Join(err, readErr) != nil || webhook.Verify(body, r.Header) != nil || json.Unmarshal(body, &event) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		events <- event // at least once: remember event.ID
		w.WriteHeader(http.StatusNoContent)
	}
}
