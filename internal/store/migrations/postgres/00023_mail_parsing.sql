-- +goose Up
-- Users who let the broker parse the files that arrive at their forwarding addresses.
CREATE TABLE mail_consents (
    subject     TEXT PRIMARY KEY,
    given_ms    BIGINT NOT NULL,
    password_ms BIGINT NOT NULL, -- when the password was sent
    refused_ms  BIGINT NOT NULL DEFAULT 0, -- when the vendor last refused it; 0: never
    sealed      BYTEA NOT NULL -- the password of the files
);

ALTER TABLE mail_files ADD COLUMN parse TEXT NOT NULL DEFAULT ''; -- due; taken by a job; refused: due again with another password; '' without consent
CREATE INDEX mail_files_due ON mail_files (received_us) WHERE parse = 'due';
ALTER TABLE statement_jobs ADD COLUMN mail_file TEXT NOT NULL DEFAULT ''; -- that it parses, which then is its document; '' for none

-- +goose Down
ALTER TABLE statement_jobs DROP COLUMN mail_file;
DROP INDEX mail_files_due;
ALTER TABLE mail_files DROP COLUMN parse;
DROP TABLE mail_consents;
