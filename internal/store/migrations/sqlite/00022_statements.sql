-- +goose Up
-- Statements that users send to the broker.
ALTER TABLE captures ADD COLUMN uploaded INTEGER NOT NULL DEFAULT 0; -- 1: saved whatever the settings say
ALTER TABLE captures ADD COLUMN job TEXT NOT NULL DEFAULT ''; -- that parsed it; '' for none

-- Statements that are parsed after their requests were answered.
CREATE TABLE statement_jobs (
    id          TEXT PRIMARY KEY,
    subject     TEXT NOT NULL,
    state       TEXT NOT NULL, -- waiting, running, done or failed
    created_ms  INTEGER NOT NULL,
    next_ms     INTEGER NOT NULL, -- waiting: when it is due; running: the end of its lease; otherwise: when it is deleted
    ended_ms    INTEGER, -- NULL until it is done or failed
    tries       INTEGER NOT NULL DEFAULT 0, -- that the vendor got nothing of
    holder      TEXT NOT NULL DEFAULT '', -- of the lease
    size        INTEGER NOT NULL, -- of the document, in bytes; 0 once it ended
    sealed      BLOB, -- the request's body, with the password; once it failed, the problem; NULL once it is done
    portfolio   TEXT NOT NULL DEFAULT '', -- that it was saved as
    created     INTEGER NOT NULL DEFAULT 0, -- 1: the portfolio is new
    request_key BLOB, -- keyed hash of subject and Idempotency-Key; NULL without one
    body        BLOB -- keyed hash of the document, with a key
);
CREATE INDEX statement_jobs_by_subject ON statement_jobs (subject, created_ms, id);
CREATE INDEX statement_jobs_due ON statement_jobs (state, next_ms, id);
CREATE UNIQUE INDEX statement_jobs_by_key ON statement_jobs (request_key);

-- +goose Down
DROP TABLE statement_jobs;
ALTER TABLE captures DROP COLUMN job;
ALTER TABLE captures DROP COLUMN uploaded;
