-- Who may come in, and how they leave. users.role has a third number since: 2, pending (store/rows.hpp).

ALTER TABLE users ADD COLUMN suspended_at INTEGER;                  -- NULL: not suspended
-- Set: gone for everybody, without address, name and password. What the person had is wiped in bounded steps; the row goes a day later.
ALTER TABLE users ADD COLUMN deleted_at   INTEGER;
ALTER TABLE users ADD COLUMN wiping       INTEGER NOT NULL DEFAULT 0;  -- 1: deleted, and something may be left to wipe

CREATE INDEX users_wiping ON users (user_no) WHERE wiping = 1;
CREATE INDEX users_pending ON users (user_no) WHERE role = 2;  -- they are counted, because they are limited
CREATE INDEX users_administrators ON users (user_no) WHERE role = 1;

-- The empty rows that deleted conversations leave; they go with their owner.
CREATE INDEX conversations_deleted ON conversations (user_no, conv) WHERE deleted_at IS NOT NULL;

CREATE TABLE invitations (
    id         BLOB    NOT NULL PRIMARY KEY,  -- UUIDv7: in order of making
    token_hash BLOB    NOT NULL UNIQUE,
    created_by INTEGER NOT NULL,              -- ends with this administrator's power
    note       TEXT    NOT NULL,
    role       INTEGER NOT NULL,
    uses_max   INTEGER NOT NULL,
    uses       INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
