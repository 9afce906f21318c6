package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"casbroker/internal/id"
	"casbroker/internal/secret"
)

func newBox(t testing.TB, hash string, keys ...secret.Key) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(secret.Text(strings.Repeat(hash, secret.KeySize)), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func sealKey(id, c string) secret.Key {
	return secret.Key{ID: id, Secret: secret.Text(strings.Repeat(c, secret.KeySize))}
}

func sealed(t testing.TB, box *secret.Box, g GatewayToken) string {
	t.Helper()
	value, err := g.seal(box)
	if err != nil {
		t.Fatal(err)
	}
	return value.Reveal()
}

func TestGatewayTokenSaysWhatWasSealed(t *testing.T) {
	t.Parallel()
	box := newBox(t, "h", sealKey("k1", "s"))
	for _, g := range []GatewayToken{
		{Subject: "app:42", GrantID: id.New("gr"), ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse, Version: 0},
		{Subject: "app:" + strings.Repeat("é", 128), GrantID: id.New("gr"), ExpiresAt: time.Unix(1, 0), Features: 255, Version: 1 << 62},
	} {
		value := sealed(t, box, g)
		got, err := OpenGatewayToken(box, value)
		if err != nil || got != g {
			t.Errorf("got %+v, %v, want %+v", got, err, g)
		}
		if !WellFormed(value) {
			t.Errorf("%q is not in the form of the vendor's tokens", value)
		}
		if strings.Contains(value, base64.RawURLEncoding.EncodeToString([]byte(g.Subject))[:4]) {
			t.Error("the subject can be read in the token")
		}
	}
	short := sealed(t, box, GatewayToken{Subject: "app:42", GrantID: id.New("gr"), ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse, Version: 100})
	if len(short) != gatewayLength {
		t.Errorf("got %d characters, want %d", len(short), gatewayLength)
	}
}

func TestGatewayTokenOpensWithItsKeyOnly(t *testing.T) {
	t.Parallel()
	g := GatewayToken{Subject: "app:42", GrantID: id.New("gr"), ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse}
	old := sealKey("k1", "s")
	value := sealed(t, newBox(t, "h", old), g)
	if got, err := OpenGatewayToken(newBox(t, "h", sealKey("k2", "n"), old), value); err != nil || got != g {
		t.Errorf("after a rotation: got %+v, %v", got, err)
	}
	for name, box := range map[string]*secret.Box{
		"another key with the same id": newBox(t, "h", sealKey("k1", "x")),
		"the key is removed":           newBox(t, "h", sealKey("k2", "n")),
	} {
		if _, err := OpenGatewayToken(box, value); !errors.Is(err, ErrNotOurs) {
			t.Errorf("%s: got %v, want ErrNotOurs", name, err)
		}
	}
}

func TestGatewayTokenIsOneText(t *testing.T) {
	t.Parallel()
	box := newBox(t, "h", sealKey("k1", "s"))
	value := sealed(t, box, GatewayToken{Subject: "app:42", GrantID: id.New("gr"), ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse})
	other := string(box.Seal("token/app:42|60", []byte("another ciphertext of this broker")))
	texts := []string{
		"", "at_", "at_A", value + "=", value + "\n", " " + value, value[3:], "AT_" + value[3:], value + "A", value[:len(value)-1],
		"at_" + base64.RawURLEncoding.EncodeToString([]byte(other)),
		"at_" + base64.RawURLEncoding.EncodeToString(box.Seal(gatewayData, nil)),
		"at_" + base64.RawURLEncoding.EncodeToString(box.Seal(gatewayData, []byte{gatewayFormat})),
	}
	for i := range value {
		if i >= len(prefix) {
			texts = append(texts, value[:i]+string(value[i]^1)+value[i+1:])
		}
	}
	for _, text := range texts {
		if got, err := OpenGatewayToken(box, text); !errors.Is(err, ErrNotOurs) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func TestFeaturesHaveNames(t *testing.T) {
	t.Parallel()
	all, ok := ParseFeatures(featureNames)
	if !ok || all != FeatureInbox<<1-1 || strings.Join(all.Names(), " ") != "parse contract_note fetch generate inbound_email inbox" {
		t.Errorf("got %v, %v", all.Names(), ok)
	}
	for _, names := range [][]string{nil, {}, {""}, {"parse", "admin"}, {"Parse"}} {
		if f, ok := ParseFeatures(names); ok {
			t.Errorf("%q: got %v", names, f.Names())
		}
	}
}

// FuzzGatewayToken checks that no text but a token opens, and that what is under the seal
// is read without a panic and written as it was.
func FuzzGatewayToken(f *testing.F) {
	box := newBox(f, "h", sealKey("k1", "s"))
	// Each process of the fuzzer seals it anew, so the text differs and the content does not.
	g := GatewayToken{
		Subject: "app:42", GrantID: "gr_01kf0a6v3m9t2w8x4y5z7b1c2d", ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse, Version: 300,
	}
	value := sealed(f, box, g)
	f.Add(value)
	f.Add("at_AmsxVIZ3")
	plain, err := box.Open(gatewayData, decoded(f, value))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(plain))
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := OpenGatewayToken(box, text); err == nil && got != g {
			t.Errorf("%q opened as %+v", text, got)
		}
		got, err := decodeGatewayToken([]byte(text))
		if err != nil {
			return
		}
		again, err := box.Open(gatewayData, decoded(t, sealed(t, box, got)))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeGatewayToken(again); err != nil || back != got {
			t.Errorf("got %+v, %v, want %+v", back, err, got)
		}
	})
}

func decoded(t testing.TB, value string) []byte {
	t.Helper()
	b, err := tokenEncoding.DecodeString(strings.TrimPrefix(value, prefix))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkOpenGatewayToken(b *testing.B) {
	box := newBox(b, "h", sealKey("k1", "s"))
	value := sealed(b, box, GatewayToken{Subject: "app:42", GrantID: id.New("gr"), ExpiresAt: time.Unix(1_800_000_000, 0), Features: FeatureParse})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenGatewayToken(box, value); err != nil {
			b.Fatal(err)
		}
	}
}
