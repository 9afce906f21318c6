-- +goose Up
-- The rows of a portfolio: packed into one value, compressed, then sealed. A portfolio that
-- has none here was saved by an earlier release; its rows are in its payload.
CREATE TABLE packed_holdings (
    portfolio TEXT PRIMARY KEY REFERENCES portfolios (id) ON DELETE CASCADE,
    sealed    BLOB NOT NULL -- with the accounts that they are in
);

CREATE TABLE packed_transactions (
    portfolio TEXT PRIMARY KEY REFERENCES portfolios (id) ON DELETE CASCADE,
    sealed    BLOB NOT NULL
);

-- +goose Down
DROP TABLE packed_transactions;
DROP TABLE packed_holdings;
