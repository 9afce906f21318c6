-- +goose Up
-- The keyed hash of a grant's token, which itself is not stored; NULL for older grants.
-- It is not unique: the vendor may return the same token twice.
ALTER TABLE grants ADD COLUMN mark BYTEA;
CREATE INDEX grants_by_mark ON grants (mark) WHERE mark IS NOT NULL;

-- Users are searched by prefix, so ids are ordered by their bytes, as in SQLite. This
-- rebuilds indexes, not tables.
ALTER TABLE grants ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE portfolios ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE blocks ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE access_changes ALTER COLUMN subject TYPE TEXT COLLATE "C"; -- the same collation, so that a join with grants can use an index

-- Sessions of operators.
CREATE TABLE sessions (
    id         BYTEA PRIMARY KEY, -- keyed hash of the session token in the operator's cookie
    admin      TEXT NOT NULL, -- the name of the admin key
    key_mark   BYTEA NOT NULL, -- keyed hash of the key's hash in the settings; if that changes, the session ends
    started_ms BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL
);

-- Usage: the same counts by minute, hour and day (UTC).
CREATE TABLE usage_counts (
    step    TEXT NOT NULL, -- minute, hour, day
    at_ms   BIGINT NOT NULL, -- when the minute, hour or day began
    series  TEXT NOT NULL, -- what is counted
    label   TEXT NOT NULL, -- a subdivision of the series, '' without one
    n       BIGINT NOT NULL,
    took_us BIGINT NOT NULL, -- total duration in microseconds, 0 if not measured
    PRIMARY KEY (step, at_ms, series, label)
);

-- +goose Down
DROP TABLE usage_counts;
DROP TABLE sessions;
ALTER TABLE access_changes ALTER COLUMN subject TYPE TEXT COLLATE "default";
ALTER TABLE blocks ALTER COLUMN subject TYPE TEXT COLLATE "default";
ALTER TABLE portfolios ALTER COLUMN subject TYPE TEXT COLLATE "default";
ALTER TABLE grants ALTER COLUMN subject TYPE TEXT COLLATE "default";
DROP INDEX grants_by_mark;
ALTER TABLE grants DROP COLUMN mark;
