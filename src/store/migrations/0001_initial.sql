-- The first schema. Times are Unix seconds. Ids are 16-byte UUIDv7. Numbers of enumerations are those of store/rows.hpp.

CREATE TABLE users (
    user_no       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: it leads every body's key
    id            BLOB    NOT NULL UNIQUE,
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          INTEGER NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY,
    user_no      INTEGER NOT NULL REFERENCES users (user_no),
    token_hash   BLOB    NOT NULL UNIQUE,
    user_agent   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_of_user ON sessions (user_no, created_at);

CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY,
    user_no      INTEGER NOT NULL REFERENCES users (user_no),
    key_hash     BLOB    NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    prefix       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE INDEX api_keys_of_user ON api_keys (user_no, created_at);

-- A hidden conversation holds the responses that were asked for without one; it is never listed nor found by its id.
CREATE TABLE conversations (
    conv         INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: runs in memory remember it
    id           BLOB    NOT NULL UNIQUE,
    user_no      INTEGER NOT NULL,
    hidden       INTEGER NOT NULL,
    active_br    INTEGER NOT NULL,
    title        TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    instructions TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    pinned       INTEGER NOT NULL DEFAULT 0,
    archived     INTEGER NOT NULL DEFAULT 0,
    live_runs    INTEGER NOT NULL DEFAULT 0,         -- stored runs not deleted; a hidden conversation without any is wiped
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER,
    wiping       INTEGER NOT NULL DEFAULT 0          -- 1: deleted, but some of its rows are still to be wiped
) STRICT;

CREATE INDEX conversations_listed ON conversations (user_no, updated_at, conv) WHERE deleted_at IS NULL AND hidden = 0;
CREATE INDEX conversations_wiping ON conversations (conv) WHERE wiping = 1;

-- A path is a branch, then its parent up to fork_pos, and so on. A branch's own items stand at fork_pos + 1 .. head_pos.
CREATE TABLE branches (
    conv         INTEGER NOT NULL,
    br           INTEGER NOT NULL,
    parent_br    INTEGER NOT NULL,             -- owner of the item at fork_pos; 0: none
    fork_pos     INTEGER NOT NULL,
    head_pos     INTEGER NOT NULL,
    head_cum_tok INTEGER NOT NULL,
    last_leaf    INTEGER NOT NULL DEFAULT 0,   -- the sub-branch last looked at; 0: this one
    anchor_pos   INTEGER NOT NULL DEFAULT 1,   -- where the prompt of the last run began
    last_run     INTEGER,
    PRIMARY KEY (conv, br)
) STRICT, WITHOUT ROWID;

-- Small rows, in reading order. A deleted item keeps its row, so that positions and cum_tok of the others stand.
CREATE TABLE items (
    conv       INTEGER NOT NULL,
    br         INTEGER NOT NULL,
    pos        INTEGER NOT NULL,
    mid        INTEGER NOT NULL,
    type       INTEGER NOT NULL DEFAULT 0,     -- 0: message
    role       INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    format     INTEGER NOT NULL,
    tok        INTEGER NOT NULL,
    cum_tok    INTEGER NOT NULL,               -- sum of tok along the path, this item included
    bytes      INTEGER NOT NULL,
    run        INTEGER,                        -- the run that made it
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (conv, br, pos)
) STRICT, WITHOUT ROWID;

-- Large rows. mid = user_no << 40 | n: the bodies of one user are one range. The body comes last, so that what stands before
-- it is read without its overflow pages.
CREATE TABLE bodies (
    mid     INTEGER PRIMARY KEY,
    item_id BLOB    NOT NULL UNIQUE,
    conv    INTEGER NOT NULL,
    br      INTEGER NOT NULL,
    pos     INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT;

CREATE TABLE runs (
    run               INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: chunks may still come for an old one
    id                BLOB    NOT NULL UNIQUE,
    user_no           INTEGER NOT NULL,
    conv              INTEGER NOT NULL,
    br                INTEGER NOT NULL,
    status            INTEGER NOT NULL,
    background        INTEGER NOT NULL,
    stored            INTEGER NOT NULL,
    input_first       INTEGER NOT NULL,
    input_last        INTEGER NOT NULL,                   -- input_first - 1: none
    output_first      INTEGER NOT NULL DEFAULT 1,
    output_last       INTEGER NOT NULL DEFAULT 0,         -- less than output_first: none
    prompt_anchor     INTEGER NOT NULL,
    prompt_head       INTEGER NOT NULL,
    prompt_tok        INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    completed_at      INTEGER,
    deleted_at        INTEGER,
    first_chunk       INTEGER,                            -- NULL: none, or expired
    last_chunk        INTEGER,                            -- NULL: still growing
    previous          BLOB,
    model             TEXT    NOT NULL,
    error_code        TEXT    NOT NULL DEFAULT '',
    error_message     TEXT    NOT NULL DEFAULT '',
    incomplete_reason TEXT    NOT NULL DEFAULT '',
    usage             TEXT    NOT NULL DEFAULT '',
    request           TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX runs_unfinished ON runs (conv, br) WHERE status < 2;  -- the conversation's lock
CREATE INDEX runs_of_conversation ON runs (conv);
CREATE INDEX runs_with_chunks ON runs (first_chunk) WHERE first_chunk IS NOT NULL;
CREATE INDEX runs_expiring ON runs (completed_at) WHERE first_chunk IS NOT NULL;

-- Append-only and without a secondary index: clustering or indexing by run costs 13 times the WAL. The chunks of one run lie
-- between runs.first_chunk and runs.last_chunk, among those of the runs beside it.
CREATE TABLE run_chunks (
    id   INTEGER PRIMARY KEY,
    run  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,  -- sequence number of the first event in data
    data BLOB    NOT NULL
) STRICT;

CREATE TABLE usage_ledger (
    entry         INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    user_no       INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    model         TEXT    NOT NULL,
    upstream      TEXT    NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
