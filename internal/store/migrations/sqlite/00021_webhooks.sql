-- +goose Up
-- Where events are sent.
CREATE TABLE webhook_endpoints (
    name        TEXT PRIMARY KEY,
    source      TEXT NOT NULL, -- settings, api
    events      TEXT NOT NULL, -- ',type,type,', or '' for all
    created_ms  INTEGER NOT NULL,
    disabled_ms INTEGER NOT NULL DEFAULT 0, -- 0 while it is enabled
    reason      TEXT NOT NULL DEFAULT '', -- why it is disabled: operator, gone, settings
    sealed      BLOB -- URL and secrets; NULL for one of the settings
);

-- The events that were sent, or are to be sent, to each endpoint.
CREATE TABLE webhook_deliveries (
    endpoint TEXT NOT NULL REFERENCES webhook_endpoints (name) ON DELETE CASCADE,
    event    TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL, -- of the event
    who      TEXT NOT NULL, -- of the event; '' once it was delivered
    state    TEXT NOT NULL, -- pending, delivered, failed
    made_ms  INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    tried_ms INTEGER NOT NULL DEFAULT 0, -- of the last attempt
    status   INTEGER NOT NULL DEFAULT 0, -- of its answer; 0 without one
    error    TEXT NOT NULL DEFAULT '', -- of the last attempt, a stable code
    took_ms  INTEGER NOT NULL DEFAULT 0, -- a duration
    PRIMARY KEY (endpoint, event)
);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (endpoint, who, seq) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_position ON webhook_deliveries (endpoint, seq);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);

-- The users with pending deliveries to an endpoint, which are made one after the other.
CREATE TABLE webhook_queues (
    endpoint TEXT NOT NULL REFERENCES webhook_endpoints (name) ON DELETE CASCADE,
    who      TEXT NOT NULL,
    next_ms  INTEGER NOT NULL, -- when the first delivery is due
    lease_ms INTEGER NOT NULL DEFAULT 0, -- until when a replica makes its deliveries
    lease    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (endpoint, who)
);
CREATE INDEX webhook_queues_by_time ON webhook_queues (endpoint, next_ms);

-- +goose Down
DROP TABLE webhook_queues;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
