-- Folders, tags, the trash, and what people and the administrator set about them.

ALTER TABLE conversations ADD COLUMN trashed_at INTEGER;                    -- NULL: not in the trash
ALTER TABLE conversations ADD COLUMN folder     INTEGER NOT NULL DEFAULT 0;  -- folders.folder; 0: none
ALTER TABLE conversations ADD COLUMN title_by   INTEGER NOT NULL DEFAULT 0;  -- 0: first words, 1: a person, 2: a model was asked

UPDATE conversations SET title_by = 1 WHERE title <> '';

-- Which list it stands in: 0..3 archived + 2 * pinned, 4 the trash, 5 hidden; NULL: deleted, or being imported (hidden = 2). Every list is a merge of a few shelves,
-- each in the order of an index.
ALTER TABLE conversations ADD COLUMN shelf INTEGER GENERATED ALWAYS AS (
    CASE WHEN deleted_at IS NOT NULL OR hidden = 2 THEN NULL WHEN hidden = 1 THEN 5 WHEN trashed_at IS NOT NULL THEN 4
         ELSE pinned * 2 + archived END) VIRTUAL;

DROP INDEX conversations_listed;
CREATE INDEX conversations_listed ON conversations (user_no, shelf, updated_at) WHERE shelf IS NOT NULL;
CREATE INDEX conversations_in_folder ON conversations (user_no, folder, shelf, updated_at) WHERE shelf IS NOT NULL;
CREATE INDEX conversations_trashed ON conversations (trashed_at) WHERE trashed_at IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE folders (
    folder        INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB    NOT NULL UNIQUE,
    user_no       INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    conversations INTEGER NOT NULL DEFAULT 0,  -- without those in the trash
    deleting      INTEGER NOT NULL DEFAULT 0   -- 1: gone for its owner; conversations are still to be taken out
) STRICT;

CREATE INDEX folders_of_user ON folders (user_no, folder) WHERE deleting = 0;
CREATE INDEX folders_deleting ON folders (folder) WHERE deleting = 1;

CREATE TABLE tags (
    tag           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_no       INTEGER NOT NULL,
    key           TEXT    NOT NULL,            -- the name in lower case (ASCII)
    name          TEXT    NOT NULL,            -- as it was first written
    conversations INTEGER NOT NULL DEFAULT 0   -- without those in the trash
) STRICT;

CREATE UNIQUE INDEX tags_of_user ON tags (user_no, key);

-- folder, shelf and updated_at are the conversation's, kept by a trigger, so that a tag's list is read from an index.
CREATE TABLE conversation_tags (
    conv       INTEGER NOT NULL,
    tag        INTEGER NOT NULL,
    folder     INTEGER NOT NULL,
    shelf      INTEGER,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (conv, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_tags_listed ON conversation_tags (tag, shelf, updated_at, conv);
CREATE INDEX conversation_tags_in_folder ON conversation_tags (tag, folder, shelf, updated_at, conv);

CREATE TRIGGER conversation_tags_follow AFTER UPDATE OF updated_at, pinned, archived, trashed_at, deleted_at, folder ON conversations
BEGIN
    UPDATE conversation_tags SET folder = new.folder, shelf = new.shelf, updated_at = new.updated_at WHERE conv = new.conv;
END;

CREATE TRIGGER tag_count_added AFTER INSERT ON conversation_tags WHEN new.shelf < 4
BEGIN
    UPDATE tags SET conversations = conversations + 1 WHERE tag = new.tag;
END;

CREATE TRIGGER tag_count_removed AFTER DELETE ON conversation_tags WHEN old.shelf < 4
BEGIN
    UPDATE tags SET conversations = conversations - 1 WHERE tag = old.tag;
END;

CREATE TRIGGER tag_count_moved AFTER UPDATE OF shelf ON conversation_tags WHEN coalesce(old.shelf < 4, 0) <> coalesce(new.shelf < 4, 0)
BEGIN
    UPDATE tags SET conversations = conversations + coalesce(new.shelf < 4, 0) - coalesce(old.shelf < 4, 0) WHERE tag = new.tag;
END;

CREATE TRIGGER folder_count_added AFTER INSERT ON conversations WHEN new.folder <> 0 AND new.shelf < 4
BEGIN
    UPDATE folders SET conversations = conversations + 1 WHERE folder = new.folder;
END;

CREATE TRIGGER folder_count_left AFTER UPDATE OF folder, trashed_at, deleted_at ON conversations WHEN old.folder <> 0 AND old.shelf < 4
BEGIN
    UPDATE folders SET conversations = conversations - 1 WHERE folder = old.folder;
END;

CREATE TRIGGER folder_count_entered AFTER UPDATE OF folder, trashed_at, deleted_at ON conversations WHEN new.folder <> 0 AND new.shelf < 4
BEGIN
    UPDATE folders SET conversations = conversations + 1 WHERE folder = new.folder;
END;

-- What people set for themselves.
CREATE TABLE user_settings (
    user_no        INTEGER PRIMARY KEY,
    retention_days INTEGER             -- NULL: keep
) STRICT;
