-- Search. The index holds words, not texts (content=''): results are shown from the messages themselves. rowid = bodies.mid, so
-- that the messages of one user are one range, and the newest come first. What is indexed is what search_text.hpp makes of a body.
CREATE VIRTUAL TABLE search_index USING fts5(text, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');

-- rowid = user_no << 40 | conv.
CREATE VIRTUAL TABLE search_titles USING fts5(title, columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');

-- What is still to be indexed. Filled with the rows themselves, in the same transaction; emptied in the background.
CREATE TABLE search_queue (
    place INTEGER PRIMARY KEY,        -- in order of arrival
    mid   INTEGER NOT NULL UNIQUE
) STRICT;
CREATE TABLE search_title_queue (conv INTEGER PRIMARY KEY) STRICT;

CREATE TRIGGER search_new_body AFTER INSERT ON bodies BEGIN
    INSERT INTO search_queue (mid) VALUES (new.mid);
END;

CREATE TRIGGER search_new_conversation AFTER INSERT ON conversations WHEN new.title <> '' BEGIN
    INSERT OR IGNORE INTO search_title_queue (conv) VALUES (new.conv);
END;

CREATE TRIGGER search_new_title AFTER UPDATE OF title ON conversations WHEN new.title <> old.title BEGIN
    INSERT OR IGNORE INTO search_title_queue (conv) VALUES (new.conv);
END;

-- One row. due = 1: words of deleted messages still stand in the index's segments, until these are merged.
CREATE TABLE search_purge (due INTEGER NOT NULL) STRICT;
INSERT INTO search_purge (due) VALUES (0);

INSERT INTO search_queue (mid) SELECT mid FROM bodies ORDER BY mid;
INSERT INTO search_title_queue (conv) SELECT conv FROM conversations WHERE title <> '' ORDER BY conv;
