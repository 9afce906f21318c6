-- +goose Up
-- The Idempotency-Key of the request that a capture answers: it is claimed until the capture is saved or dropped.
ALTER TABLE captures ADD COLUMN key_scope BYTEA; -- as in the table idempotency; NULL without a key
ALTER TABLE captures ADD COLUMN key_holder TEXT NOT NULL DEFAULT ''; -- the request, as there
CREATE INDEX captures_by_key ON captures (key_scope) WHERE key_scope IS NOT NULL;

-- +goose Down
DROP INDEX captures_by_key;
ALTER TABLE captures DROP COLUMN key_holder;
ALTER TABLE captures DROP COLUMN key_scope;
