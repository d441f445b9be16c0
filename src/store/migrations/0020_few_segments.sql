-- A search looks into each segment of an index. Merges between the writes (search_upkeep.hpp) leave one in each level: they
-- take up two of a level already, where FTS5 waits for four. What each write merges by itself stays as it is.
INSERT INTO search_index (search_index, rank) VALUES ('usermerge', 2);
INSERT INTO search_titles (search_titles, rank) VALUES ('usermerge', 2);
