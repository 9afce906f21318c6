-- +goose Up
-- Hosted links: pages of the broker's on which a user of an app imports a statement.
CREATE TABLE links (
    id             TEXT NOT NULL PRIMARY KEY,
    subject        TEXT NOT NULL,
    token_hash     BLOB NOT NULL UNIQUE, -- keyed
    use_kind       TEXT NOT NULL,        -- once or until_saved
    language       TEXT NOT NULL,
    sealed         BLOB,                 -- what the app gave for the page
    created_by     TEXT NOT NULL,
    created_ms     INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL,
    opened_ms      INTEGER NOT NULL DEFAULT 0,
    ended_ms       INTEGER NOT NULL DEFAULT 0,
    outcome        TEXT NOT NULL DEFAULT '', -- completed, expired or revoked; '' until it has ended
    settled        INTEGER NOT NULL DEFAULT 0, -- its tokens are revoked
    portfolio      TEXT NOT NULL DEFAULT '',
    saved_by       TEXT NOT NULL DEFAULT '', -- the session that saved
    saved_key      BLOB,                     -- keyed hash of the Idempotency-Key of the save
    access_version INTEGER NOT NULL
);
CREATE INDEX links_by_subject ON links (subject, created_ms, id);
CREATE INDEX links_open ON links (expires_ms) WHERE outcome = '';
CREATE INDEX links_unsettled ON links (id) WHERE outcome <> '' AND settled = 0;
CREATE INDEX links_ended ON links (ended_ms) WHERE outcome <> '' AND settled = 1;

CREATE TABLE link_sessions (
    id          TEXT NOT NULL PRIMARY KEY,
    link        TEXT NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    secret_hash BLOB NOT NULL UNIQUE, -- keyed
    started_ms  INTEGER NOT NULL,
    steps       TEXT NOT NULL -- JSON, from a closed list of names
);
CREATE INDEX link_sessions_by_link ON link_sessions (link, started_ms, id);

-- The access tokens that were handed out under a link.
CREATE TABLE link_grants (
    grant_id TEXT NOT NULL PRIMARY KEY,
    link     TEXT NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    session  TEXT NOT NULL
);
CREATE INDEX link_grants_by_link ON link_grants (link);

-- +goose Down
DROP TABLE link_grants;
DROP TABLE link_sessions;
DROP TABLE links;
