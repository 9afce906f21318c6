-- +goose Up
-- The owner of each statement among a user's, and whether it is the owner's active one.
ALTER TABLE portfolios ADD COLUMN owner INTEGER NOT NULL DEFAULT 1;
ALTER TABLE portfolios ADD COLUMN active INTEGER NOT NULL DEFAULT 0; -- 1 for one portfolio of each owner
ALTER TABLE portfolios ADD COLUMN pan_marks BLOB; -- keyed hash of each unmasked character, NULL if no PAN is stated
ALTER TABLE portfolios ADD COLUMN transactions INTEGER NOT NULL DEFAULT 0; -- number of transactions
ALTER TABLE portfolios DROP COLUMN pan; -- replaced by pan_marks
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
    seq       INTEGER NOT NULL, -- position in the statement
    holding   INTEGER NOT NULL, -- seq of its holding
    date      TEXT NOT NULL, -- YYYY-MM-DD, '' if not stated
    type      TEXT NOT NULL,
    units     TEXT,
    nav       TEXT,
    amount    TEXT,
    balance   TEXT,
    PRIMARY KEY (portfolio, seq)
) WITHOUT ROWID;

-- Jobs that one replica does for all.
CREATE TABLE chores (
    name    TEXT PRIMARY KEY,
    next_ms INTEGER NOT NULL -- when the job is due again
);

-- Proofs that a sealing key is still the one that had this id before. Rows are never deleted.
CREATE TABLE seal_keys (
    id    TEXT PRIMARY KEY,
    proof BLOB NOT NULL -- sealed under the key when it was first used
);

-- +goose Down
DROP TABLE seal_keys;
DROP TABLE chores;
DROP TABLE transactions;
DROP INDEX portfolios_by_owner;
DROP INDEX portfolios_active;
ALTER TABLE portfolios ADD COLUMN pan BLOB;
ALTER TABLE portfolios DROP COLUMN transactions;
ALTER TABLE portfolios DROP COLUMN pan_marks;
ALTER TABLE portfolios DROP COLUMN active;
ALTER TABLE portfolios DROP COLUMN owner;
