-- +goose Up
-- The vendor's answers that the gateway has seen, until they are saved as portfolios.
CREATE TABLE captures (
    id      TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    sealed  BYTEA NOT NULL, -- the answer, compressed, then sealed
    at_ms   BIGINT NOT NULL, -- when it was seen
    tries   INTEGER NOT NULL, -- failed saves
    next_ms BIGINT NOT NULL -- when the next save is due
);
CREATE INDEX captures_by_subject ON captures (subject, at_ms);
CREATE INDEX captures_by_due ON captures (next_ms);

ALTER TABLE portfolios ADD COLUMN observed_ms BIGINT NOT NULL DEFAULT 0; -- when the broker last saw the vendor give it, 0 for never
ALTER TABLE portfolios ADD COLUMN differs INTEGER NOT NULL DEFAULT 0; -- 1 if it is reported and differs from what the broker saw

-- +goose Down
ALTER TABLE portfolios DROP COLUMN differs;
ALTER TABLE portfolios DROP COLUMN observed_ms;
DROP TABLE captures;
