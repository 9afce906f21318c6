-- +goose Up
-- Records of a chain are numbered from 1. Those that are there are not checked here, so that
-- a damaged trail can still be migrated and verified.
-- +goose StatementBegin
CREATE TRIGGER audit_seq_inserted BEFORE INSERT ON audit WHEN NEW.seq <= 0 AND NEW.writer <> ''
BEGIN
    SELECT RAISE(ABORT, 'audit_seq: records of a chain are numbered from 1');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_seq_updated BEFORE UPDATE OF seq, writer ON audit WHEN NEW.seq <= 0 AND NEW.writer <> ''
BEGIN
    SELECT RAISE(ABORT, 'audit_seq: records of a chain are numbered from 1');
END;
-- +goose StatementEnd

-- How long all chains were when this one began, sealed with the head.
ALTER TABLE audit_writers ADD COLUMN links BLOB; -- NULL for chains of before

-- What the retention of audit records has removed of the chain.
ALTER TABLE audit_writers ADD COLUMN stump_seq INTEGER NOT NULL DEFAULT 0; -- seq of the last record that was removed, 0 for none
ALTER TABLE audit_writers ADD COLUMN stump_mac BLOB; -- mac of that record
ALTER TABLE audit_writers ADD COLUMN stump_seal BLOB; -- keyed hash over both

-- The number of records without a chain.
CREATE TABLE audit_unchained (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    records INTEGER NOT NULL,
    seal    BLOB NOT NULL -- keyed hash over records
);

-- +goose Down
DROP TABLE audit_unchained;
ALTER TABLE audit_writers DROP COLUMN stump_seal;
ALTER TABLE audit_writers DROP COLUMN stump_mac;
ALTER TABLE audit_writers DROP COLUMN stump_seq;
ALTER TABLE audit_writers DROP COLUMN links;
DROP TRIGGER audit_seq_updated;
DROP TRIGGER audit_seq_inserted;
