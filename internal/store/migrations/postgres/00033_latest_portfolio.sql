-- +goose Up
-- Finds the latest portfolio of an owner. It also counts the portfolios of each owner, as the index before it did.
CREATE INDEX portfolios_latest ON portfolios (subject, owner, period_to DESC, differs, saved_ms DESC, id DESC);
DROP INDEX portfolios_by_owner;

-- +goose Down
CREATE INDEX portfolios_by_owner ON portfolios (subject, owner, pan_marks);
DROP INDEX portfolios_latest;
