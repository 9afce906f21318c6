-- +goose Up
-- Why users are blocked, encrypted: reason is '(sealed)' then. Rows of an earlier release, which may
-- still run on other replicas, have it in clear until a job encrypts it.
ALTER TABLE access_changes ADD COLUMN sealed_reason BLOB; -- NULL unless reason is '(sealed)'
ALTER TABLE blocks ADD COLUMN sealed_reason BLOB; -- NULL unless reason is '(sealed)'
CREATE INDEX access_changes_unsealed ON access_changes (version) WHERE reason <> '(sealed)' AND (reason <> '' OR sealed_reason IS NOT NULL);
CREATE INDEX blocks_unsealed ON blocks (subject) WHERE reason <> '(sealed)' AND (reason <> '' OR sealed_reason IS NOT NULL);

-- +goose Down
UPDATE access_changes SET reason = '' WHERE reason = '(sealed)';
UPDATE blocks SET reason = '' WHERE reason = '(sealed)';
DROP INDEX blocks_unsealed;
DROP INDEX access_changes_unsealed;
ALTER TABLE blocks DROP COLUMN sealed_reason;
ALTER TABLE access_changes DROP COLUMN sealed_reason;
