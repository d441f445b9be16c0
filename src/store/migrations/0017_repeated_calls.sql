-- Requests that came with an Idempotency-Key, for a day: a repetition is answered by what the first one did.

CREATE TABLE repeatable_calls (
    no           INTEGER NOT NULL PRIMARY KEY,
    user_no      INTEGER NOT NULL,
    scope        BLOB    NOT NULL,             -- SHA-256 of the route and the key
    body         BLOB    NOT NULL,             -- SHA-256 of the path and the body
    process      INTEGER NOT NULL,             -- that answers it; one that is no longer there was interrupted. 0: none
    finished     INTEGER NOT NULL DEFAULT 0,   -- 1
    created_at   INTEGER NOT NULL,
    made         TEXT    NOT NULL,             -- ids of what it makes or made
    status       INTEGER NOT NULL DEFAULT 0,   -- of the answer that is kept; 0: none is
    answer_bytes INTEGER NOT NULL DEFAULT 0,
    answer       TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX repeatable_calls_scope ON repeatable_calls (user_no, scope);
CREATE INDEX repeatable_calls_finished ON repeatable_calls (user_no, finished, no, answer_bytes);  -- the oldest make room
CREATE INDEX repeatable_calls_created ON repeatable_calls (created_at);
