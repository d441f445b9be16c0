-- Imports: the jobs that bring other programs' conversations in. Numbers of `status` are those of store/import_rows.hpp.

CREATE TABLE imports (
    id             BLOB    NOT NULL PRIMARY KEY,   -- UUIDv7: in order of making
    user_no        INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    filename       TEXT    NOT NULL,
    path           TEXT    NOT NULL,               -- of a file that stays where it is; '': an upload
    format         TEXT    NOT NULL DEFAULT '',    -- '': not known yet
    bytes          INTEGER NOT NULL DEFAULT 0,
    bytes_read     INTEGER NOT NULL DEFAULT 0,
    conversations  INTEGER NOT NULL DEFAULT 0,
    messages       INTEGER NOT NULL DEFAULT 0,
    skipped        INTEGER NOT NULL DEFAULT 0,
    problems       TEXT    NOT NULL DEFAULT '[]',  -- the first hundred, a JSON array
    problems_total INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    finished_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX imports_of_user ON imports (user_no, id);
CREATE UNIQUE INDEX imports_unfinished ON imports (user_no) WHERE status < 3;  -- one at a time for each user

CREATE INDEX imports_waiting ON imports (id) WHERE status < 3;

-- conversations.hidden = 2: being imported. It becomes visible when it is whole; what is never completed is wiped.
CREATE INDEX conversations_importing ON conversations (user_no) WHERE hidden = 2;
