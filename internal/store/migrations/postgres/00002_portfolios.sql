-- +goose Up
CREATE TABLE portfolios (
    id            TEXT PRIMARY KEY,
    subject       TEXT NOT NULL,
    fingerprint   BYTEA NOT NULL, -- keyed hash of the statement in canonical form
    provenance    TEXT NOT NULL,
    cas_type      TEXT NOT NULL,
    period_from   TEXT NOT NULL, -- YYYY-MM-DD, '' if not stated
    period_to     TEXT NOT NULL,
    pan           BYTEA, -- keyed hash, NULL if not stated in full
    private       BYTEA NOT NULL, -- sealed: the investor, and the account numbers that holdings refer to
    total_value   NUMERIC NOT NULL,
    received_rows INTEGER NOT NULL,
    stored_rows   INTEGER NOT NULL,
    findings      TEXT NOT NULL, -- JSON: number of rows by class
    saved_ms      BIGINT NOT NULL,
    UNIQUE (subject, fingerprint)
);
CREATE INDEX portfolios_by_time ON portfolios (subject, saved_ms, id);

CREATE TABLE payloads (
    portfolio TEXT PRIMARY KEY REFERENCES portfolios (id) ON DELETE CASCADE,
    sealed    BYTEA NOT NULL -- compressed, then sealed
);

CREATE TABLE holdings (
    portfolio   TEXT NOT NULL REFERENCES portfolios (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL, -- position in the statement
    class       TEXT NOT NULL,
    isin        TEXT NOT NULL,
    name        TEXT NOT NULL,
    account     INTEGER NOT NULL, -- index in the sealed account numbers, -1 for none
    institution TEXT NOT NULL,
    category    TEXT NOT NULL,
    units       NUMERIC,
    price       NUMERIC,
    value       NUMERIC,
    cost        NUMERIC,
    gain        NUMERIC,
    sum_assured NUMERIC,
    PRIMARY KEY (portfolio, seq)
);

-- +goose Down
DROP TABLE holdings;
DROP TABLE payloads;
DROP TABLE portfolios;
