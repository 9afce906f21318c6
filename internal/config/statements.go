package config

import "casbroker/internal/check"

// Statements configures the jobs of POST /v1/statements, which parse statements after their
// requests were answered.
type Statements struct {
	Workers        int  `yaml:"workers"`           // jobs at a time, on each replica
	MaxJobsPerUser int  `yaml:"max_jobs_per_user"` // that have not ended
	MaxJobs        int  `yaml:"max_jobs"`          // that have not ended, of all users
	MaxStored      Size `yaml:"max_stored"`        // of the documents of these
}

func (s Statements) validate(wrong *check.Errors) {
	wrong.Require(s.Workers >= 1 && s.Workers <= 64, "statements.workers", "want 1 to 64, not %d", s.Workers)
	wrong.Require(s.MaxJobs >= 1 && s.MaxJobs <= 1_000_000, "statements.max_jobs", "want 1 to 1000000, not %d", s.MaxJobs)
	wrong.Require(s.MaxJobsPerUser >= 1 && s.MaxJobsPerUser <= s.MaxJobs, "statements.max_jobs_per_user",
		"want 1 to statements.max_jobs, %d, not %d", s.MaxJobs, s.MaxJobsPerUser)
	// One document may have 10 MB, in base64 a third more.
	wrong.Require(s.MaxStored >= 16<<20 && s.MaxStored <= 1<<40, "statements.max_stored", "want 16MiB to 1TiB")
}
