package statement

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestHostilePayloadTakesLittleMemory is not parallel, because it measures what the
// whole program allocates.
func TestHostilePayloadTakesLittleMemory(t *testing.T) {
	const begin = `{"meta":{"cas_type":"CDSL"},"demat_accounts":[{"holdings":{"`
	for name, body := range map[string]string{
		"a huge name over bad rows": begin + strings.Repeat("n", 9_500_000) + `":[` + strings.Repeat("0,", 198) + `0]}}]}`,
		"very many zeros":           begin + `equities":[` + strings.Repeat("0,", 4_500_000) + `0]}}]}`,
		"very many names":           `{` + manyNames(800_000) + `}`,
		"very many accounts":        `{"meta":{"cas_type":"CDSL"},"nps":[` + strings.Repeat(`{"value":1},`, 300_000) + `{}]}`,
		"very many small numbers":   begin + `equities":[` + strings.Repeat("2.2250738585072011e-308,", 400_000) + `0]}}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Parse([]byte(body), today); err == nil {
			t.Errorf("%s: got no error", name)
		}
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 50<<20 {
			t.Errorf("%s: a payload of %d bytes allocated %d bytes", name, len(body), allocated)
		}
	}
}

func TestPointersAreExactAfterVeryManyValues(t *testing.T) {
	t.Parallel()
	body := []byte(`{"cas_type":"CDSL","demat_accounts":[` + strings.Repeat("null,", 900_000) + `{"holdings":{"equities":[` +
		strings.Repeat("null,", maxRejected-1) + `null]}}]}`)
	st, err := Parse(body, today)
	if err != nil || st.Rejected[maxRejected-1].Pointer != "/demat_accounts/900000/holdings/equities/999" {
		t.Fatalf("got %v, %+v; want row 999 of account 900000 rejected", err, st)
	}
}

// manyNames returns the members of an object with n names.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"` + strconv.Itoa(i) + `":0,`)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestNumberInAStringMayHaveSpaces(t *testing.T) {
	t.Parallel()
	st, err := Parse([]byte(`{"cas_type":"NSDL","nps":[{"funds":[{"name":"F","units":"\t","value":" 12 "}]}]}`), today)
	if err != nil {
		t.Fatal(err)
	}
	if h := st.Holdings[0]; h.Units.Valid || h.Value.Decimal.String() != "12" {
		t.Errorf("got %+v, want value 12 and no units", h)
	}
}

// BenchmarkHostile measures the slowest known payloads.
func BenchmarkHostile(b *testing.B) {
	for name, body := range map[string]string{
		"small numbers":   `{"meta":{"cas_type":"CDSL"},"nps":[],"x":[` + strings.Repeat("2.2250738585072011e-308,", 400_000) + `0]}`,
		"names past Z":    `{"meta":{"cas_type":"CDSL"},"nps":[],"x":{` + longNames(9_990) + `}}`,
		"many rejections": `{"cas_type":"CDSL","demat_accounts":[` + strings.Repeat("null,", 900_000) + `{"holdings":{"equities":[` + strings.Repeat("null,", maxRejected-1) + `null]}}]}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := Parse([]byte(body), today); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func longNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%s%d":1,`, strings.Repeat("é", 500), n-i)
	}
	return strings.TrimSuffix(b.String(), ",")
}
