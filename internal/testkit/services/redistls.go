package services

import "testing"

// OwnRedisTLS starts a Redis for this test only that also has a port for TLS, with this
// certificate, and further arguments. It asks clients for a certificate of ca.
func OwnRedisTLS(t testing.TB, ca *Authority, certFile, keyFile string, args ...string) (r *RedisProcess, tlsPort string) {
	t.Helper()
	tlsPort, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return OwnRedis(t, append([]string{
		"--tls-port", tlsPort, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", ca.File,
	}, args...)...), tlsPort
}
