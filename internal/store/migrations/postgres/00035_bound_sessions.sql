-- +goose Up
-- A keyed hash over the session's row: a row without it, or that does not match it, is no session.
ALTER TABLE sessions ADD COLUMN mac BYTEA; -- NULL for sessions of before

-- +goose Down
ALTER TABLE sessions DROP COLUMN mac;
