-- +goose Up
-- The keyed hash of a grant's token, which itself is not stored; NULL for older grants.
-- It is not unique: the vendor may return the same token twice.
ALTER TABLE grants ADD COLUMN mark BLOB;
CREATE INDEX grants_by_mark ON grants (mark) WHERE mark IS NOT NULL;

-- Sessions of operators.
CREATE TABLE sessions (
    id         BLOB PRIMARY KEY, -- keyed hash of the session token in the operator's cookie
    admin      TEXT NOT NULL, -- the name of the admin key
    key_mark   BLOB NOT NULL, -- keyed hash of the key's hash in the settings; if that changes, the session ends
    started_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL
);

-- Usage: the same counts by minute, hour and day (UTC).
CREATE TABLE usage_counts (
    step    TEXT NOT NULL, -- minute, hour, day
    at_ms   INTEGER NOT NULL, -- when the minute, hour or day began
    series  TEXT NOT NULL, -- what is counted
    label   TEXT NOT NULL, -- a subdivision of the series, '' without one
    n       INTEGER NOT NULL,
    took_us INTEGER NOT NULL, -- total duration in microseconds, 0 if not measured
    PRIMARY KEY (step, at_ms, series, label)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE usage_counts;
DROP TABLE sessions;
DROP INDEX grants_by_mark;
ALTER TABLE grants DROP COLUMN mark;
