-- +goose Up
-- What users have at the vendor, which itself knows only the account: OTP sessions and
-- forwarding addresses.
CREATE TABLE vendor_resources (
    kind       TEXT NOT NULL, -- otp_session, inbound_email
    id         TEXT NOT NULL, -- the vendor's
    subject    TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX vendor_resources_by_subject ON vendor_resources (subject, kind, created_ms);
CREATE INDEX vendor_resources_by_age ON vendor_resources (kind, created_ms);

-- Mailboxes whose connection waits for the consent of the user.
CREATE TABLE mailbox_connections (
    state      BYTEA PRIMARY KEY, -- keyed hash of the state that the vendor returns
    subject    TEXT COLLATE "C" NOT NULL,
    sealed     BYTEA NOT NULL, -- where the browser goes then
    expires_ms BIGINT NOT NULL
);
CREATE INDEX mailbox_connections_by_subject ON mailbox_connections (subject);

-- Connected mailboxes.
CREATE TABLE mailboxes (
    handle       BYTEA PRIMARY KEY, -- keyed hash of the handle that the page has
    subject      TEXT COLLATE "C" NOT NULL,
    sealed       BYTEA NOT NULL, -- the vendor's token of the mailbox
    connected_ms BIGINT NOT NULL
);
CREATE INDEX mailboxes_by_subject ON mailboxes (subject);

-- +goose Down
DROP TABLE mailboxes;
DROP TABLE mailbox_connections;
DROP TABLE vendor_resources;
