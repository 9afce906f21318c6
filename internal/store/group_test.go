package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
)

// idle returns a group without a goroutine, whose queue has room for many changes.
func idle(t *testing.T) *group {
	t.Helper()
	writer, reader, named, err := openSQLite(filepath.Join(t.TempDir(), "group.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close(), named.close()) })
	_, err = writer.ExecContext(t.Context(), `CREATE TABLE noted (n INTEGER PRIMARY KEY);
		CREATE TABLE promised (n INTEGER REFERENCES noted (n) DEFERRABLE INITIALLY DEFERRED)`)
	if err != nil {
		t.Fatal(err)
	}
	d := sqliteDialect("")
	return &group{
		db: writer, chains: newChainPool(writer, nil, &d, Options{}, 1), file: named,
		queue: make(chan *pendingChange, 1000), unsynced: make(chan *pendingChange, 1000),
		later: make(chan *pendingChange, 1000),
	}
}

// note returns work that inserts n and then calls more.
func note(n int, more ...func() error) work {
	return func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO noted (n) VALUES ($1)", n); err != nil {
			return err
		}
		for _, do := range more {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

// wait puts do into the queue of g.
func (g *group) wait(ctx context.Context, do work) *pendingChange {
	c := &pendingChange{caller: ctx, do: do, done: make(chan error, 1)}
	g.queue <- c
	return c
}

// transactAll runs the waiting changes and returns the number of transactions.
func (g *group) transactAll() int {
	for n := 0; ; n++ {
		select {
		case first := <-g.queue:
			g.transact(first)
		default:
			return n
		}
	}
}

func (g *group) noted(t *testing.T) (list []int) {
	t.Helper()
	rows, err := g.db.QueryContext(t.Context(), "SELECT n FROM noted ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestFailedChangeDoesNotAffectOthersInItsGroup(t *testing.T) {
	t.Parallel()
	g := idle(t)
	refused, broken := errors.New("refused"), errors.New("broken")
	gone, leave := context.WithCancel(t.Context())
	leave()
	leaving, leaveNow := context.WithCancel(t.Context())
	changes := []*pendingChange{
		g.wait(t.Context(), note(1)),
		g.wait(t.Context(), note(2, func() error { return refused })),
		g.wait(t.Context(), note(3, func() error { panic(broken) })),
		g.wait(gone, func(context.Context, *sql.Tx) error { t.Error("the change of a canceled caller was made"); return nil }),
		g.wait(leaving, note(4, func() error { leaveNow(); return nil })),
		g.wait(t.Context(), note(1)), // exists already
		g.wait(t.Context(), note(5)),
	}
	if n := g.transactAll(); n != 1 {
		t.Errorf("took %d transactions", n)
	}
	for i, right := range []func(error) bool{
		func(err error) bool { return err == nil },
		func(err error) bool { return errors.Is(err, refused) },
		func(err error) bool { return err != nil },
		func(err error) bool { return errors.Is(err, context.Canceled) },
		func(err error) bool { return errors.Is(err, context.Canceled) },
		func(err error) bool { return err != nil },
		func(err error) bool { return err == nil },
	} {
		if err := <-changes[i].done; !right(err) {
			t.Errorf("change %d ended with %v", i, err)
		}
	}
	if list := g.noted(t); len(list) != 2 || list[0] != 1 || list[1] != 5 {
		t.Errorf("inserted %v", list)
	}
}

func TestLostTransactionFailsAllItsChanges(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for sentence, loses := range map[string]work{
		"when the commit fails": func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO promised (n) VALUES (99)")
			return err
		},
		"when a change cannot be rolled back": func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "ROLLBACK") // as SQLite does when a disk fails
			return errors.Join(refused, err)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			g := idle(t)
			before, loser := g.wait(t.Context(), note(1)), g.wait(t.Context(), loses)
			g.transactAll()
			if err := <-before.done; err == nil || errors.Is(err, refused) && !errors.Is(err, ErrUnavailable) {
				t.Errorf("another change of the group ended with %v", err)
			}
			if err := <-loser.done; err == nil {
				t.Error("the change that lost the transaction was reported as durable")
			}
			after := g.wait(t.Context(), note(2))
			g.transactAll()
			if err := <-after.done; err != nil {
				t.Errorf("the next change: %v", err)
			}
			if list := g.noted(t); len(list) != 1 || list[0] != 2 {
				t.Errorf("inserted %v", list)
			}
		})
	}
}

func TestGroupTransactionIsLimitedInSize(t *testing.T) {
	t.Parallel()
	g := idle(t)
	for n := range 2*groupSize + 1 {
		g.wait(t.Context(), note(n))
	}
	if n := g.transactAll(); n < 3 {
		t.Errorf("took %d transactions", n)
	}
	if list := g.noted(t); len(list) != 2*groupSize+1 {
		t.Errorf("%d changes were made", len(list))
	}
}

func TestClosingAGroupCommitsBegunChangesAndRefusesOthers(t *testing.T) {
	t.Parallel()
	inner := idle(t)
	g := newGroup(inner.db, inner.chains, inner.file, nil)
	begun, closing := make(chan bool), make(chan bool)
	ended := make(chan error, 1)
	go func() {
		ended <- g.change(t.Context(), durable, note(1, func() error { close(begun); <-closing; return nil }))
	}()
	<-begun
	go func() { <-g.quit; close(closing) }()
	g.close()
	g.close() // a second call is allowed
	if err := <-ended; err != nil {
		t.Errorf("a change that had begun: %v", err)
	}
	if err := g.change(t.Context(), durable, note(2)); !errors.Is(err, errClosed) {
		t.Errorf("a later change: %v", err)
	}
	if list := g.noted(t); len(list) != 1 {
		t.Errorf("inserted %v", list)
	}
}

// waitUnsynced puts do into the queue of changes that do not wait for the disk.
func (g *group) waitUnsynced(ctx context.Context, do work) *pendingChange {
	c := &pendingChange{caller: ctx, do: do, done: make(chan error, 1), urgency: unsynced}
	g.unsynced <- c
	return c
}

// waitsForDisk reports whether the last transaction waited for the disk.
func (g *group) waitsForDisk(t *testing.T) bool {
	t.Helper()
	var level int
	mustScan(t, g.db.QueryRowContext(t.Context(), "PRAGMA synchronous"), &level)
	return level == 2 // FULL
}

func TestChangesThatNeedNotWaitForTheDiskShareTransactionsThatDo(t *testing.T) {
	t.Parallel()
	g := idle(t)
	mustExec(t, g.db, `CREATE TABLE access_state (version INTEGER)`)
	g.waitUnsynced(t.Context(), note(1))
	g.wait(t.Context(), note(2))
	g.transact(<-g.queue)
	if list := g.noted(t); len(list) != 2 || !g.waitsForDisk(t) || g.syncDue != nil {
		t.Errorf("a change that waits: noted %v, waits %t, due %v", list, g.waitsForDisk(t), g.syncDue)
	}

	first := g.waitUnsynced(t.Context(), note(3))
	second := g.waitUnsynced(t.Context(), note(4))
	waiting := g.wait(t.Context(), note(5))
	g.transact(<-g.unsynced)
	if err := errors.Join(<-first.done, <-second.done); err != nil {
		t.Fatal(err)
	}
	if list := g.noted(t); len(list) != 4 || g.waitsForDisk(t) {
		t.Errorf("changes that do not wait: noted %v, waits %t", list, g.waitsForDisk(t))
	}
	if len(waiting.done) > 0 {
		t.Error("a change that waits for the disk shared a transaction that does not")
	}

	<-g.syncDue
	g.sync()
	if !g.waitsForDisk(t) || g.syncDue != nil {
		t.Errorf("after the sync: waits %t, due %v", g.waitsForDisk(t), g.syncDue)
	}
	if err := <-waiting.done; err != nil {
		t.Error(err)
	}
}

func TestChangesThatCanWaitAreMadeTogether(t *testing.T) {
	t.Parallel()
	s := openNew(t, "sqlite:"+filepath.Join(t.TempDir(), "broker.db"))
	mustExec(t, s.writer, `CREATE TABLE noted (n INTEGER PRIMARY KEY)`)
	ended, refused := make(chan error), errors.New("refused")
	for n := range 2 * groupSize {
		go func() {
			ended <- s.changeLater(t.Context(), "note", note(n, func() error {
				if n == 1 {
					return refused
				}
				return nil
			}))
		}()
	}
	failures := 0
	for range 2 * groupSize {
		if err := <-ended; err != nil {
			failures++
		}
	}
	if list := s.group.noted(t); len(list) != 2*groupSize-1 || failures != 1 {
		t.Errorf("got %d changes, %d failures, want %d, 1", len(list), failures, 2*groupSize-1)
	}
	if err := s.changeLater(t.Context(), "note", note(1)); err != nil || !s.group.waitsForDisk(t) {
		t.Errorf("got %v, waits %t, want a change that is on the disk", err, s.group.waitsForDisk(t))
	}
}

func TestSyncThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	g := idle(t)
	delayed := &pendingChange{caller: t.Context(), do: note(2), done: make(chan error, 1), urgency: later}
	g.delay(delayed)
	<-g.syncDue
	g.syncDue = nil
	if err := g.db.Close(); err != nil {
		t.Fatal(err)
	}
	if g.sync(); g.syncDue == nil {
		t.Error("no other sync is due")
	}
	if err := <-delayed.done; err == nil || len(g.delayed) > 0 {
		t.Errorf("a delayed change ended with %v, and %d are left", err, len(g.delayed))
	}
}
