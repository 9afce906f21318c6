-- +goose NO TRANSACTION
-- +goose Up
-- Indexes for what read whole tables. They are built while others write. A build that was interrupted leaves an index that is
-- not valid, which the next run replaces.
DROP INDEX IF EXISTS gateway_calls_by_request;
CREATE INDEX CONCURRENTLY gateway_calls_by_request ON gateway_calls (request_id) WHERE request_id <> '';
DROP INDEX IF EXISTS captures_by_age;
CREATE INDEX CONCURRENTLY captures_by_age ON captures (at_ms);
DROP INDEX IF EXISTS captures_by_job;
CREATE INDEX CONCURRENTLY captures_by_job ON captures (job) WHERE job <> '';
DROP INDEX IF EXISTS budgets_reached_by_start;
CREATE INDEX CONCURRENTLY budgets_reached_by_start ON budgets_reached (starts_ms);
DROP INDEX IF EXISTS mailbox_connections_by_expiry;
CREATE INDEX CONCURRENTLY mailbox_connections_by_expiry ON mailbox_connections (expires_ms);
DROP INDEX IF EXISTS webhook_deliveries_failed;
CREATE INDEX CONCURRENTLY webhook_deliveries_failed ON webhook_deliveries (endpoint, seq) WHERE state = 'failed';
-- Its index can only be used in a join if the collation is that of the other tables.
ALTER TABLE mail_consents ALTER COLUMN subject TYPE TEXT COLLATE "C";

-- +goose Down
ALTER TABLE mail_consents ALTER COLUMN subject TYPE TEXT COLLATE "default";
DROP INDEX webhook_deliveries_failed;
DROP INDEX mailbox_connections_by_expiry;
DROP INDEX budgets_reached_by_start;
DROP INDEX captures_by_job;
DROP INDEX captures_by_age;
DROP INDEX gateway_calls_by_request;
