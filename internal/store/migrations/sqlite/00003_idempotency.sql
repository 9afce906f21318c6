-- +goose Up
CREATE TABLE idempotency (
    scope      BLOB PRIMARY KEY, -- keyed hash of user, route and key
    body       BLOB NOT NULL, -- keyed hash of the request's body
    holder     TEXT NOT NULL, -- which request claimed it last
    until_ms   INTEGER NOT NULL, -- when others may claim it, unless it was completed
    expires_ms INTEGER NOT NULL,
    created    INTEGER, -- 1 or 0 once it was completed, until then NULL
    portfolio  TEXT, -- that was saved, or was there already
    answer     BLOB -- sealed; NULL again once the portfolio was deleted
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_ms);
CREATE INDEX idempotency_by_portfolio ON idempotency (portfolio);

-- +goose Down
DROP TABLE idempotency;
