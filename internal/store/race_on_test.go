//go:build race

package store_test

// sqliteRaceDivisor is by how much less data SQLite gets under the race detector, where it is
// much slower, since it is translated to Go.
const sqliteRaceDivisor = 4
