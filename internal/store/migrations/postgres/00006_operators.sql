-- +goose Up
-- A grant is found by the keyed hash of its token, which itself is not kept; NULL
-- for those from before. Nothing says that the vendor never gives the same token twice.
ALTER TABLE grants ADD COLUMN mark BYTEA;
CREATE INDEX grants_by_mark ON grants (mark) WHERE mark IS NOT NULL;

-- Users are looked for by the beginning of their id, so ids are in the order of their
-- bytes, as in SQLite. This builds indexes anew, not tables.
ALTER TABLE grants ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE portfolios ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE blocks ALTER COLUMN subject TYPE TEXT COLLATE "C";
ALTER TABLE access_changes ALTER COLUMN subject TYPE TEXT COLLATE "C"; -- or no index would join it to grants

-- Who is signed in as an operator.
CREATE TABLE sessions (
    id         BYTEA PRIMARY KEY, -- keyed hash of what the operator's browser holds
    admin      TEXT NOT NULL, -- the name of the admin key
    key_mark   BYTEA NOT NULL, -- keyed hash of the key's hash in the settings: another key there ends the session
    started_ms BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL
);

-- How much was done, by time: the same counts by minute, hour and day (UTC).
CREATE TABLE usage_counts (
    step    TEXT NOT NULL, -- minute, hour, day
    at_ms   BIGINT NOT NULL, -- when the minute, hour or day began
    series  TEXT NOT NULL, -- what was done
    label   TEXT NOT NULL, -- of which kind, '' where there is one only
    n       BIGINT NOT NULL,
    took_us BIGINT NOT NULL, -- how long all of them took together, 0 where that is not measured
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
