-- +goose Up
-- Which accounts a portfolio lists, and whose they are. NULL in portfolios of before, until they are converted.
ALTER TABLE portfolios ADD COLUMN accounts BYTEA; -- packed: owners with their PAN hashes; accounts by keyed hash, with owner and number of rows
ALTER TABLE portfolios ADD COLUMN account_details BYTEA; -- sealed: what the portfolio states of these owners and accounts
ALTER TABLE portfolios ADD COLUMN of_other INTEGER NOT NULL DEFAULT 0; -- 1 if the owner contradicts the owner of most of the user's portfolios

-- What the portfolios of a user tell about each owner.
CREATE TABLE owners (
    id         TEXT PRIMARY KEY,
    subject    TEXT NOT NULL,
    number     INTEGER NOT NULL,
    pan_hashes BYTEA, -- keyed hash of each character that one of the portfolios shows, NULL if none does
    sealed     BYTEA NOT NULL, -- name and masked PAN
    UNIQUE (subject, number)
);

-- +goose Down
DROP TABLE owners;
ALTER TABLE portfolios DROP COLUMN of_other;
ALTER TABLE portfolios DROP COLUMN account_details;
ALTER TABLE portfolios DROP COLUMN accounts;
