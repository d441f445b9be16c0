-- Links by which whoever has one reads a conversation as it was: the path that ends at (br, pos). Items are only ever added behind it or on
-- other branches, so the place is the snapshot, and nothing is copied but the title. A share goes with its conversation.
CREATE TABLE shares (
    id         BLOB    NOT NULL PRIMARY KEY,  -- UUIDv7: in order of making
    token_hash BLOB    NOT NULL UNIQUE,
    user_no    INTEGER NOT NULL,
    conv       INTEGER NOT NULL,
    br         INTEGER NOT NULL,
    pos        INTEGER NOT NULL,
    title      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER                        -- NULL: never
) STRICT, WITHOUT ROWID;

CREATE INDEX shares_of_user ON shares (user_no, id);
CREATE INDEX shares_of_conversation ON shares (conv, id);
CREATE INDEX shares_expiring ON shares (expires_at) WHERE expires_at IS NOT NULL;
