-- +goose Up
-- Whose statement it is among a user's, and which one of those counts.
ALTER TABLE portfolios ADD COLUMN owner INTEGER NOT NULL DEFAULT 1;
ALTER TABLE portfolios ADD COLUMN active INTEGER NOT NULL DEFAULT 0; -- 1 for one of each owner
ALTER TABLE portfolios ADD COLUMN pan_marks BYTEA; -- keyed hash of each visible character, NULL when no PAN is stated
ALTER TABLE portfolios ADD COLUMN transactions INTEGER NOT NULL DEFAULT 0; -- how many there are
ALTER TABLE portfolios DROP COLUMN pan; -- the marks tell more
UPDATE portfolios SET active = 1 WHERE id IN (
    SELECT id FROM (
        SELECT id, ROW_NUMBER() OVER (
            PARTITION BY subject
            ORDER BY CASE cas_type WHEN 'CAMS_KFINTECH' THEN 1 ELSE 0 END, period_to DESC, saved_ms DESC, id DESC
        ) AS place
        FROM portfolios
    ) AS ranked
    WHERE place = 1
);
CREATE UNIQUE INDEX portfolios_active ON portfolios (subject, owner) WHERE active = 1;
CREATE INDEX portfolios_by_owner ON portfolios (subject, owner, pan_marks);

CREATE TABLE transactions (
    portfolio TEXT NOT NULL REFERENCES portfolios (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL, -- place in the statement
    holding   INTEGER NOT NULL, -- seq of the holding that it belongs to
    date      TEXT NOT NULL, -- YYYY-MM-DD, '' when not stated
    type      TEXT NOT NULL,
    units     NUMERIC,
    nav       NUMERIC,
    amount    NUMERIC,
    balance   NUMERIC,
    PRIMARY KEY (portfolio, seq)
);

-- Work that one replica does for all.
CREATE TABLE chores (
    name    TEXT PRIMARY KEY,
    next_ms BIGINT NOT NULL -- when it is to be done again
);

-- What tells whether a sealing key is the one that it was. An id stays here for good.
CREATE TABLE seal_keys (
    id    TEXT PRIMARY KEY,
    proof BYTEA NOT NULL -- sealed under the key, by the first who sealed anything under it
);

-- +goose Down
DROP TABLE seal_keys;
DROP TABLE chores;
DROP TABLE transactions;
DROP INDEX portfolios_by_owner;
DROP INDEX portfolios_active;
ALTER TABLE portfolios ADD COLUMN pan BYTEA;
ALTER TABLE portfolios DROP COLUMN transactions;
ALTER TABLE portfolios DROP COLUMN pan_marks;
ALTER TABLE portfolios DROP COLUMN active;
ALTER TABLE portfolios DROP COLUMN owner;
