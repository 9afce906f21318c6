-- +goose Up
-- The spans of requests that deliveries of events, and the parsing of statements, are linked to: of W3C Trace Context, NULL
-- without traces.
ALTER TABLE events ADD COLUMN traceparent TEXT;
ALTER TABLE statement_jobs ADD COLUMN traceparent TEXT;
CREATE INDEX audit_refused ON audit (at_ms, id) WHERE outcome = 'refused';

-- +goose Down
ALTER TABLE statement_jobs DROP COLUMN traceparent;
ALTER TABLE events DROP COLUMN traceparent;
DROP INDEX audit_refused;
