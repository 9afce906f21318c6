-- +goose Up
CREATE TABLE grants (
    id                TEXT PRIMARY KEY,
    subject           TEXT NOT NULL,
    mode              TEXT NOT NULL,
    issued_ms         INTEGER NOT NULL,
    expires_ms        INTEGER NOT NULL,
    vendor_request_id TEXT NOT NULL
);
CREATE INDEX grants_by_subject ON grants (subject, issued_ms);

CREATE TABLE audit (
    id         TEXT PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    object     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    address    TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, at_ms);

-- +goose Down
DROP TABLE audit;
DROP TABLE grants;
