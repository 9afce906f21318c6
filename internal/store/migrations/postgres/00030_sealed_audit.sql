-- +goose Up
-- Records of a chain are numbered from 1. Those that are there are not checked here, so that
-- a damaged trail can still be migrated and verified.
ALTER TABLE audit ADD CONSTRAINT audit_seq CHECK (seq > 0 OR writer = '') NOT VALID;

-- How long all chains were when this one began, sealed with the head.
ALTER TABLE audit_writers ADD COLUMN links BYTEA; -- NULL for chains of before

-- What the retention of audit records has removed of the chain.
ALTER TABLE audit_writers ADD COLUMN stump_seq BIGINT NOT NULL DEFAULT 0; -- seq of the last record that was removed, 0 for none
ALTER TABLE audit_writers ADD COLUMN stump_mac BYTEA; -- mac of that record
ALTER TABLE audit_writers ADD COLUMN stump_seal BYTEA; -- keyed hash over both

-- The number of records without a chain.
CREATE TABLE audit_unchained (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    records BIGINT NOT NULL,
    seal    BYTEA NOT NULL -- keyed hash over records
);

-- +goose Down
DROP TABLE audit_unchained;
ALTER TABLE audit_writers DROP COLUMN stump_seal;
ALTER TABLE audit_writers DROP COLUMN stump_mac;
ALTER TABLE audit_writers DROP COLUMN stump_seq;
ALTER TABLE audit_writers DROP COLUMN links;
ALTER TABLE audit DROP CONSTRAINT audit_seq;
