-- +goose Up
-- Blocked users and revoked tokens. Versions number all changes in the order of their
-- commits; replicas read the changes after the version that they have.
CREATE TABLE access_state (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO access_state (one, version) VALUES (1, 0);

CREATE TABLE access_changes (
    version  BIGINT PRIMARY KEY,
    kind     TEXT NOT NULL, -- block, unblock, revoke_grant, revoke_user, revoke_all
    subject  TEXT NOT NULL, -- '' for all users
    grant_id TEXT NOT NULL, -- '' unless it concerns one grant
    reason   TEXT NOT NULL,
    until_ms BIGINT NOT NULL, -- when a block ends, 0 for until it is lifted
    at_ms    BIGINT NOT NULL,
    actor    TEXT NOT NULL
);
CREATE INDEX access_changes_by_time ON access_changes (at_ms);
CREATE INDEX access_changes_by_subject ON access_changes (subject, version);

CREATE TABLE blocks (
    subject  TEXT PRIMARY KEY,
    version  BIGINT NOT NULL,
    reason   TEXT NOT NULL,
    until_ms BIGINT NOT NULL, -- 0 for until it is lifted
    at_ms    BIGINT NOT NULL,
    actor    TEXT NOT NULL
);

ALTER TABLE grants ADD COLUMN access_version BIGINT NOT NULL DEFAULT 0; -- the newest version that was known when it was issued
ALTER TABLE grants ADD COLUMN revoked_ms BIGINT NOT NULL DEFAULT 0; -- 0 unless this grant alone was revoked
CREATE INDEX grants_by_time ON grants (issued_ms, id);

-- Each record has a keyed hash over itself and the previous record of the same writer.
ALTER TABLE audit ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN detail TEXT NOT NULL DEFAULT ''; -- a reason or a count, never personal data
ALTER TABLE audit ADD COLUMN writer TEXT NOT NULL DEFAULT ''; -- '' for records that are older than chains
ALTER TABLE audit ADD COLUMN seq BIGINT NOT NULL DEFAULT 0; -- position in the writer's chain, from 1
ALTER TABLE audit ADD COLUMN origin BYTEA; -- keyed hash of address and user agent, which may be deleted later
ALTER TABLE audit ADD COLUMN mac BYTEA;
CREATE UNIQUE INDEX audit_chains ON audit (writer, seq) WHERE writer <> '';
CREATE INDEX audit_by_time ON audit (at_ms, id);
CREATE INDEX audit_by_actor ON audit (actor, at_ms, id);
CREATE INDEX audit_by_action ON audit (action, at_ms, id);

-- The head of each writer's chain. It is written together with the records, so that
-- deleting the newest records is detected.
CREATE TABLE audit_writers (
    writer TEXT PRIMARY KEY,
    place  BIGINT NOT NULL UNIQUE, -- number of the writer, from 1 without gaps
    seq    BIGINT NOT NULL, -- seq of its newest record, 0 before the first
    mac    BYTEA, -- mac of that record
    seal   BYTEA NOT NULL -- keyed hash over this row
);

-- +goose Down
DROP TABLE audit_writers;
DROP INDEX audit_by_action;
DROP INDEX audit_by_actor;
DROP INDEX audit_by_time;
DROP INDEX audit_chains;
ALTER TABLE audit DROP COLUMN mac;
ALTER TABLE audit DROP COLUMN origin;
ALTER TABLE audit DROP COLUMN seq;
ALTER TABLE audit DROP COLUMN writer;
ALTER TABLE audit DROP COLUMN detail;
ALTER TABLE audit DROP COLUMN outcome;
ALTER TABLE audit DROP COLUMN role;
DROP INDEX grants_by_time;
ALTER TABLE grants DROP COLUMN revoked_ms;
ALTER TABLE grants DROP COLUMN access_version;
DROP TABLE blocks;
DROP TABLE access_changes;
DROP TABLE access_state;
