-- +goose Up
-- A grant is found by the keyed hash of its token, which itself is not kept; NULL
-- for those from before. Nothing says that the vendor never gives the same token twice.
ALTER TABLE grants ADD COLUMN mark BLOB;
CREATE INDEX grants_by_mark ON grants (mark) WHERE mark IS NOT NULL;

-- Who is signed in as an operator.
CREATE TABLE sessions (
    id         BLOB PRIMARY KEY, -- keyed hash of what the operator's browser holds
    admin      TEXT NOT NULL, -- the name of the admin key
    key_mark   BLOB NOT NULL, -- keyed hash of the key's hash in the settings: another key there ends the session
    started_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL
);

-- How much was done, by time: the same counts by minute, hour and day (UTC).
CREATE TABLE usage_counts (
    step    TEXT NOT NULL, -- minute, hour, day
    at_ms   INTEGER NOT NULL, -- when the minute, hour or day began
    series  TEXT NOT NULL, -- what was done
    label   TEXT NOT NULL, -- of which kind, '' where there is one only
    n       INTEGER NOT NULL,
    took_us INTEGER NOT NULL, -- how long all of them took together, 0 where that is not measured
    PRIMARY KEY (step, at_ms, series, label)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE usage_counts;
DROP TABLE sessions;
DROP INDEX grants_by_mark;
ALTER TABLE grants DROP COLUMN mark;
