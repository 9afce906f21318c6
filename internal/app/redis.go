package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"casbroker/internal/cache"
	"casbroker/internal/config"
)

// redisOptions returns the options of a Redis that settings name. Its errors name the setting.
func redisOptions(c config.Cache) (cache.RedisOptions, error) {
	o := cache.RedisOptions{URL: c.URL, Prefix: c.KeyPrefix, Timeout: c.Timeout}
	if c.TLSCAFile != "" {
		pem, err := os.ReadFile(c.TLSCAFile)
		if err != nil {
			return o, fmt.Errorf("cache.tls_ca_file: %w", err)
		}
		o.RootCAs = x509.NewCertPool()
		if !o.RootCAs.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("cache.tls_ca_file: %s has no certificate in PEM (BEGIN CERTIFICATE)", c.TLSCAFile)
		}
	}
	if c.TLSCertFile != "" && c.TLSKeyFile != "" {
		// The files are read at each connection, since certificates are renewed.
		read := func() (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile)
			if err != nil {
				return nil, fmt.Errorf("cache.tls_cert_file and cache.tls_key_file: %w", err)
			}
			return &certificate, nil
		}
		if _, err := read(); err != nil {
			return o, err
		}
		o.ClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	}
	return o, nil
}

// checkRedis parses the URL and reads the files of Redis as openCache will.
func checkRedis(c config.Cache) error {
	options, fileErr := redisOptions(c)
	redis, err := cache.NewRedis(options)
	if err != nil {
		return errors.Join(fileErr, fmt.Errorf("cache.url: %w", err))
	}
	return errors.Join(fileErr, redis.Close())
}
