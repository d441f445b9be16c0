-- The different words of both search indexes, in order: to find those that begin as what is being typed. FTS5's own
-- vocabularies (0011) step over the whole list of a word to come to the next one, which takes the longer the more
-- messages have it; they only tell, word by word, which of these are still in an index.
CREATE TABLE search_vocabulary (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- begun = 2: the indexes are merged, and the vocabulary is gone through; `swept` is the last word that was looked at.
ALTER TABLE search_purge ADD COLUMN swept TEXT NOT NULL DEFAULT '';

-- From word to word, without reading their lists.
WITH RECURSIVE words(word) AS (
    SELECT (SELECT term FROM search_words LIMIT 1)
    UNION ALL
    SELECT (SELECT term FROM search_words WHERE term >= words.word || char(1) LIMIT 1) FROM words WHERE words.word IS NOT NULL
)
INSERT OR IGNORE INTO search_vocabulary SELECT word FROM words WHERE word IS NOT NULL;

WITH RECURSIVE words(word) AS (
    SELECT (SELECT term FROM search_title_words LIMIT 1)
    UNION ALL
    SELECT (SELECT term FROM search_title_words WHERE term >= words.word || char(1) LIMIT 1) FROM words WHERE words.word IS NOT NULL
)
INSERT OR IGNORE INTO search_vocabulary SELECT word FROM words WHERE word IS NOT NULL;
