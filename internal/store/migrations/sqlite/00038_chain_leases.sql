-- +goose Up
-- Which process extends a chain, and until when: another one may continue it after that.
ALTER TABLE audit_writers ADD COLUMN holder TEXT NOT NULL DEFAULT ''; -- '' for a process of an earlier release, whose chain no other continues
ALTER TABLE audit_writers ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 0; -- end of its lease, 0 if it has given up the chain

-- +goose Down
ALTER TABLE audit_writers DROP COLUMN lease_ms;
ALTER TABLE audit_writers DROP COLUMN holder;
