-- Files and the blobs they refer to. The bytes of a blob are on disk beside the database, files/ab/<hash in hex>.

CREATE TABLE blobs (
    hash       BLOB    NOT NULL PRIMARY KEY,  -- SHA-256 of the bytes
    bytes      INTEGER NOT NULL,
    media_type TEXT    NOT NULL,              -- by content
    refs       INTEGER NOT NULL               -- files that have it; at 0 the housekeeping removes it
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_unreferenced ON blobs (hash) WHERE refs = 0;

CREATE TABLE files (
    id         BLOB    NOT NULL PRIMARY KEY,  -- UUIDv7: in order of making
    user_no    INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    filename   TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX files_of_user ON files (user_no, id);
CREATE INDEX files_of_user_by_hash ON files (user_no, hash);

-- Sums over a user's files, so that the limits cost one seek.
CREATE TABLE file_usage (
    user_no INTEGER PRIMARY KEY,
    bytes   INTEGER NOT NULL,
    files   INTEGER NOT NULL
) STRICT;
