package audit_test

import (
	"bytes"
	"context"
	"fmt"

	"casbroker/internal/audit"
	"casbroker/internal/secret"
)

// oneChain is an audit.ChainReader with the chain of one writer.
type oneChain struct {
	head      audit.SealedHead
	entries   []audit.Entry
	unchained audit.Unchained
}

func (c *oneChain) Heads(_ context.Context, number int64, _ int) ([]audit.SealedHead, error) {
	if number >= c.head.Number {
		return nil, nil
	}
	return []audit.SealedHead{c.head}, nil
}

func (c *oneChain) Chain(_ context.Context, _ string, seq int64, _ string, limit int) ([]audit.Entry, error) {
	for i, e := range c.entries {
		if e.Seq > seq {
			return c.entries[i:min(i+limit, len(c.entries))], nil
		}
	}
	return nil, nil
}

func (c *oneChain) NextWriter(_ context.Context, after string) (writer string, headed bool, err error) {
	if after == c.head.Writer {
		return "", false, nil
	}
	return c.head.Writer, true, nil
}

func (c *oneChain) Unchained(context.Context) (int64, audit.Unchained, error) {
	return 0, c.unchained, nil
}

// A change of a stored record is found by its MAC.
func ExampleService_Verify() {
	ctx := context.Background()
	key := secret.Text(bytes.Repeat([]byte("k"), secret.KeySize))
	box, err := secret.NewBox(key, secret.Key{ID: "k1", Secret: key})
	if err != nil {
		fmt.Println(err)
		return
	}
	head, chain := audit.Head{Writer: "wr_1", Number: 1}, &oneChain{}
	for _, subject := range []string{"app:asha", "app:rohan", "app:mina"} {
		var e audit.Entry
		r := audit.New(ctx, begin, audit.Broker, audit.TokenMint, subject, "gr_1")
		r.ID = fmt.Sprint("au_", head.Seq+1)
		e, head = head.Next(box, r)
		chain.entries = append(chain.entries, e)
	}
	chain.head = audit.SealedHead{Head: head, Seal: head.Sum(box)}
	chain.unchained.Seal = chain.unchained.Sum(box)

	trail := audit.Service{Chains: chain, Box: box}
	report, err := trail.Verify(ctx, func(b audit.Break) { fmt.Println(b) })
	fmt.Println(report.Records, "intact,", report.Broken, "broken:", err)

	chain.entries[1].Subject = "app:nitin"
	report, err = trail.Verify(ctx, func(b audit.Break) { fmt.Println(b) })
	fmt.Println(report.Records, "intact,", report.Broken, "broken:", err)
	// Output:
	// 3 intact, 0 broken: <nil>
	// writer wr_1, record 2 (au_2): changed: its content was changed
	// 1 intact, 1 broken: <nil>
}
