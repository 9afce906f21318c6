-- +goose Up
CREATE INDEX audit_by_request ON audit (request_id) WHERE request_id <> '';

-- +goose Down
DROP INDEX audit_by_request;
