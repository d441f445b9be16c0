-- The words of the search indexes, in order: to find those that begin as what is being typed.
CREATE VIRTUAL TABLE search_words USING fts5vocab(search_index, instance);
CREATE VIRTUAL TABLE search_title_words USING fts5vocab(search_titles, instance);
