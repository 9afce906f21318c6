-- +goose Up
-- What happened, for those who have to know: written in the transaction of the change.
CREATE TABLE events (
    n       INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of insertion
    id      TEXT NOT NULL UNIQUE,
    seq     INTEGER NOT NULL DEFAULT 0, -- position in the order of commits; 0 until it has one
    type    TEXT NOT NULL,
    subject TEXT NOT NULL, -- '' for none, and once the user's data was erased
    who     TEXT NOT NULL, -- keyed hash of the subject; '' for none, and once the user's data was erased
    at_ms   INTEGER NOT NULL,
    object  TEXT NOT NULL -- ids, as a JSON object
);
CREATE INDEX events_by_position ON events (seq);
CREATE INDEX events_without_position ON events (n) WHERE seq = 0;
CREATE INDEX events_by_subject ON events (subject) WHERE subject <> '';
CREATE INDEX events_by_time ON events (at_ms);

-- The last position that was given.
CREATE TABLE event_state (
    seq INTEGER NOT NULL
);
INSERT INTO event_state (seq) VALUES (0);

-- +goose Down
DROP TABLE event_state;
DROP TABLE events;
