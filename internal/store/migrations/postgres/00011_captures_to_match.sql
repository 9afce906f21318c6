-- +goose Up
-- A capture with a fingerprint is not saved: it is compared with what its user posts, until
-- next_ms. The columns are those of portfolios.
ALTER TABLE captures ADD COLUMN fingerprint BYTEA;
ALTER TABLE captures ADD COLUMN cas_type TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN period_from TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN period_to TEXT NOT NULL DEFAULT '';
ALTER TABLE captures ADD COLUMN call_id TEXT NOT NULL DEFAULT ''; -- the row of gateway_calls that gets the portfolio's id

-- +goose Down
DELETE FROM captures WHERE fingerprint IS NOT NULL;
ALTER TABLE captures DROP COLUMN call_id;
ALTER TABLE captures DROP COLUMN period_to;
ALTER TABLE captures DROP COLUMN period_from;
ALTER TABLE captures DROP COLUMN cas_type;
ALTER TABLE captures DROP COLUMN fingerprint;
