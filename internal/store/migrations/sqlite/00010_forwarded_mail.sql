-- +goose Up
-- Which API key a resource was made with: with several, each has an account of its own. And
-- what the broker knows of a forwarding address besides its owner.
ALTER TABLE vendor_resources ADD COLUMN key_name TEXT NOT NULL DEFAULT ''; -- '' if it is not known
ALTER TABLE vendor_resources ADD COLUMN secret BLOB; -- keyed hash of the secret in the path of the vendor's callback; NULL without one
ALTER TABLE vendor_resources ADD COLUMN asked_ms INTEGER NOT NULL DEFAULT 0; -- when the vendor was last asked for files
ALTER TABLE vendor_resources ADD COLUMN mail_cursor TEXT NOT NULL DEFAULT ''; -- the vendor's, after the last file that it listed
CREATE UNIQUE INDEX vendor_resources_by_secret ON vendor_resources (secret);
ALTER TABLE mailbox_connections ADD COLUMN key_name TEXT NOT NULL DEFAULT '';
ALTER TABLE mailboxes ADD COLUMN key_name TEXT NOT NULL DEFAULT '';

-- Files that arrived at forwarding addresses, until their URL has expired.
CREATE TABLE mail_files (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL, -- inbound_email
    address     TEXT NOT NULL,
    message     BLOB NOT NULL, -- keyed hash of the id of the mail
    file        BLOB NOT NULL, -- keyed hash of that and the name of the file
    received_us INTEGER NOT NULL, -- microseconds since 1970; the page's cursor
    expires_ms  INTEGER NOT NULL,
    sealed      BLOB NOT NULL, -- names and URL, as the vendor sent them
    FOREIGN KEY (kind, address) REFERENCES vendor_resources (kind, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX mail_files_by_time ON mail_files (kind, address, received_us);
CREATE UNIQUE INDEX mail_files_by_name ON mail_files (kind, address, message, file);
CREATE INDEX mail_files_by_expiry ON mail_files (expires_ms);

-- +goose Down
DROP TABLE mail_files;
ALTER TABLE mailboxes DROP COLUMN key_name;
ALTER TABLE mailbox_connections DROP COLUMN key_name;
DROP INDEX vendor_resources_by_secret;
ALTER TABLE vendor_resources DROP COLUMN key_name;
ALTER TABLE vendor_resources DROP COLUMN secret;
ALTER TABLE vendor_resources DROP COLUMN asked_ms;
ALTER TABLE vendor_resources DROP COLUMN mail_cursor;
