-- +goose NO TRANSACTION
-- +goose Up
-- The spans of requests that deliveries of events, and the parsing of statements, are linked to: of W3C Trace Context, NULL
-- without traces.
ALTER TABLE events ADD COLUMN IF NOT EXISTS traceparent TEXT;
ALTER TABLE statement_jobs ADD COLUMN IF NOT EXISTS traceparent TEXT;
-- The index is built while others write. A build that was interrupted leaves an index that is not valid, which the next run
-- replaces.
DROP INDEX IF EXISTS audit_refused;
CREATE INDEX CONCURRENTLY audit_refused ON audit (at_ms, id) WHERE outcome = 'refused';

-- +goose Down
ALTER TABLE statement_jobs DROP COLUMN traceparent;
ALTER TABLE events DROP COLUMN traceparent;
DROP INDEX audit_refused;
