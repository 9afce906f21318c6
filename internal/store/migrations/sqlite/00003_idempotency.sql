-- +goose Up
CREATE TABLE idempotency (
    scope      BLOB PRIMARY KEY, -- keyed hash of user, route and key
    body       BLOB NOT NULL, -- keyed hash of the request's body
    holder     TEXT NOT NULL, -- the request that claimed it last
    until_ms   INTEGER NOT NULL, -- when others may claim it, unless it is completed
    expires_ms INTEGER NOT NULL,
    created    INTEGER, -- 1 or 0 when completed, NULL before
    portfolio  TEXT, -- the portfolio that was saved or existed already
    answer     BLOB -- sealed; NULL again after the portfolio is deleted
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_ms);
CREATE INDEX idempotency_by_portfolio ON idempotency (portfolio);

-- +goose Down
DROP TABLE idempotency;
