-- +goose Up
-- Calls of the vendor's API that cost credits or make something. Credits are thousandths.
CREATE TABLE gateway_calls (
    id         TEXT PRIMARY KEY,
    subject    TEXT COLLATE "C" NOT NULL, -- '' once the user's data was erased
    who        TEXT COLLATE "C" NOT NULL, -- keyed hash of the subject
    app        TEXT COLLATE "C" NOT NULL,
    grant_id   TEXT NOT NULL,
    request_id TEXT NOT NULL,
    key_name   TEXT COLLATE "C" NOT NULL, -- of the API key
    feature    TEXT COLLATE "C" NOT NULL, -- as the vendor's usage names it
    started_ms BIGINT NOT NULL,
    lease_ms   BIGINT NOT NULL, -- when an open call is settled at its price
    ended_ms   BIGINT NOT NULL, -- 0 while it is open
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    delivery   TEXT NOT NULL, -- not_sent, answered, rejected, unknown
    reserved   BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    portfolio_id TEXT NOT NULL -- saved from the answer
);
CREATE INDEX gateway_calls_by_subject ON gateway_calls (subject, started_ms);
CREATE INDEX gateway_calls_by_grant ON gateway_calls (grant_id, started_ms) WHERE grant_id <> '';
CREATE INDEX gateway_calls_by_start ON gateway_calls (started_ms);
CREATE INDEX gateway_calls_by_end ON gateway_calls (ended_ms);
CREATE INDEX gateway_calls_open ON gateway_calls (lease_ms) WHERE ended_ms = 0;

-- Calls that have ended, by the day of UTC on which they began.
CREATE TABLE call_totals (
    day_ms   BIGINT NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL, -- '' for those whose data was erased
    app      TEXT COLLATE "C" NOT NULL,
    feature  TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C" NOT NULL,
    calls    BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    credits  BIGINT NOT NULL,
    PRIMARY KEY (day_ms, subject, app, feature, key_name)
);
CREATE INDEX call_totals_by_subject ON call_totals (subject, day_ms);

-- The credits of each user, app and all, by period, with those that are reserved.
CREATE TABLE budget_counters (
    period     TEXT NOT NULL, -- day, month
    starts_ms  BIGINT NOT NULL,
    scope      TEXT NOT NULL, -- user, app, all
    who        TEXT COLLATE "C" NOT NULL, -- keyed hash of the subject, the app, or ''
    credits    BIGINT NOT NULL,
    PRIMARY KEY (period, starts_ms, scope, who)
);

-- Budgets that were reached, once in each period.
CREATE TABLE budgets_reached (
    budget    TEXT NOT NULL,
    period    TEXT NOT NULL,
    starts_ms BIGINT NOT NULL,
    scope     TEXT NOT NULL,
    who       TEXT COLLATE "C" NOT NULL,
    at_ms     BIGINT NOT NULL,
    PRIMARY KEY (budget, period, starts_ms, scope, who)
);

-- Budgets that an operator made larger for a while.
CREATE TABLE budget_raises (
    id       TEXT PRIMARY KEY,
    budget   TEXT NOT NULL,
    subject  TEXT COLLATE "C" NOT NULL,
    app      TEXT NOT NULL,
    credits  BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    actor    TEXT NOT NULL
);
CREATE INDEX budget_raises_by_end ON budget_raises (until_ms);

-- The comparisons of days with the vendor's usage.
CREATE TABLE usage_comparisons (
    day_ms         BIGINT NOT NULL,
    feature        TEXT NOT NULL, -- as the vendor's usage names it; '' for all together
    at_ms          BIGINT NOT NULL,
    calls          BIGINT NOT NULL,
    unsure_calls   BIGINT NOT NULL, -- calls that the vendor's usage may or may not have
    credits        BIGINT NOT NULL,
    unsure_credits BIGINT NOT NULL,
    vendor_calls   BIGINT NOT NULL,
    vendor_credits BIGINT NOT NULL,
    differs        INTEGER NOT NULL, -- 1 if it does
    PRIMARY KEY (day_ms, feature)
);

-- +goose Down
DROP TABLE usage_comparisons;
DROP TABLE budget_raises;
DROP TABLE budgets_reached;
DROP TABLE budget_counters;
DROP TABLE call_totals;
DROP TABLE gateway_calls;
