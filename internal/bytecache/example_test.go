package bytecache_test

import (
	"crypto/sha256"
	"fmt"

	"casbroker/internal/bytecache"
)

func ExampleCache() {
	sum := sha256.Sum256([]byte("a long token"))
	key := bytecache.Key(sum[:])

	c := bytecache.New(1 << 20)
	c.Put(key, []byte("app:asha"))

	var buf [64]byte // on the stack: Get allocates nothing for values that fit
	value, ok := c.Get(key, buf[:0])
	fmt.Printf("%s %v\n", value, ok)
	_, ok = c.Get(bytecache.Key{}, buf[:0])
	fmt.Println(ok)
	// Output:
	// app:asha true
	// false
}
