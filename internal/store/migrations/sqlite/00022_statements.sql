-- +goose Up
-- Statements that users send to the broker.
ALTER TABLE captures ADD COLUMN uploaded INTEGER NOT NULL DEFAULT 0; -- 1: saved whatever the settings say
ALTER TABLE captures ADD COLUMN job TEXT NOT NULL DEFAULT ''; -- that parsed it; '' for none

-- +goose Down
ALTER TABLE captures DROP COLUMN job;
ALTER TABLE captures DROP COLUMN uploaded;
