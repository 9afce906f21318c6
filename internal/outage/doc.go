// Package outage has no code but tests: what users and operators see while a part of a
// deployment is down. Each test runs built brokers, Redis and PostgreSQL as processes of
// their own, and kills, freezes or fills one of them under load. `make test` with
// CI=true runs a short version of each, `make chaos` a longer one, ten minutes in all.
package outage
