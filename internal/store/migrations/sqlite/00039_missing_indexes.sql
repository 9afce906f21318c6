-- +goose Up
-- Indexes for what read whole tables.
CREATE INDEX gateway_calls_by_request ON gateway_calls (request_id) WHERE request_id <> '';
CREATE INDEX captures_by_age ON captures (at_ms);
CREATE INDEX captures_by_job ON captures (job) WHERE job <> '';
CREATE INDEX budgets_reached_by_start ON budgets_reached (starts_ms);
CREATE INDEX mailbox_connections_by_expiry ON mailbox_connections (expires_ms);
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (endpoint, seq) WHERE state = 'failed';

-- +goose Down
DROP INDEX webhook_deliveries_failed;
DROP INDEX mailbox_connections_by_expiry;
DROP INDEX budgets_reached_by_start;
DROP INDEX captures_by_job;
DROP INDEX captures_by_age;
DROP INDEX gateway_calls_by_request;
