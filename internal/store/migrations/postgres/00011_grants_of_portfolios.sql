-- +goose Up
-- A capture with a fingerprint is not saved: it is compared with what its user posts, until
-- next_ms. The columns are those of portfolios.
ALTER TABLE captures ADD COLUMN fingerprint BYTEA;
ALTER TABLE captures ADD COLUMN cas_type TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN period_from TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN period_to TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN grant_id TEXT NOT NULL DEFAULT ''; -- of the token that the statement was parsed with

-- Which portfolios were parsed with the token of a grant.
CREATE TABLE grant_portfolios (
    grant_id  TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    portfolio TEXT NOT NULL REFERENCES portfolios (id) ON DELETE CASCADE,
    seen_ms   BIGINT NOT NULL, -- when the broker saw the statement
    PRIMARY KEY (grant_id, portfolio)
);
CREATE INDEX grant_portfolios_by_portfolio ON grant_portfolios (portfolio);

-- +goose Down
DROP TABLE grant_portfolios;
DELETE FROM captures WHERE fingerprint IS NOT NULL;
ALTER TABLE captures DROP COLUMN grant_id;
ALTER TABLE captures DROP COLUMN period_to;
ALTER TABLE captures DROP COLUMN period_from;
ALTER TABLE captures DROP COLUMN cas_type;
ALTER TABLE captures DROP COLUMN fingerprint;
