package config

import (
	"slices"
	"strings"

	"casbroker/internal/check"
	"casbroker/internal/secret"
)

// What Store.Pooler can be: what is between the broker and PostgreSQL.
const (
	PoolerAuto        = "auto"
	PoolerNone        = "none"
	PoolerTransaction = "transaction"
)

// Store configures the database.
type Store struct {
	URL            secret.URL `yaml:"url"`
	MigrateAtStart bool       `yaml:"migrate_at_start"`
	ExportDir      string     `yaml:"export_dir"` // folder of exports while they are sent, "" for that of the database
	ExportMax      Size       `yaml:"export_max"` // of all exports in ExportDir
	MaxConns       int        `yaml:"max_conns"`  // to PostgreSQL
	Pooler         string     `yaml:"pooler"`     // PoolerAuto, PoolerNone or PoolerTransaction
}

func (s Store) validate(wrong *check.Errors) {
	scheme, rest, _ := strings.Cut(s.URL.Reveal(), ":")
	postgres := slices.Contains([]string{"postgres", "postgresql"}, scheme) && strings.HasPrefix(rest, "//")
	wrong.Require(postgres || scheme == "sqlite" && rest != "", "store.url", "want sqlite:<file> or postgres://<user>:<password>@<host>/<database>")
	wrong.Require(!postgres || s.URL.WellFormed(), "store.url", wantEncoded)
	wrong.Require(s.ExportMax >= 16<<20 && s.ExportMax <= 1<<40, "store.export_max", "want 16MiB to 1TiB")
	wrong.Require(s.MaxConns >= 2 && s.MaxConns <= 1000, "store.max_conns", "want 2 to 1000")
	wrong.Require(slices.Contains([]string{PoolerAuto, PoolerNone, PoolerTransaction}, s.Pooler), "store.pooler", "want auto, none or transaction")
}
