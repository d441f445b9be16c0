-- What stands for the older part of a path in a prompt. A summary covers the path of (br, upto_pos) up to that item, which is br's own,
-- so it is good for every branch that goes on from there or later. At most 64 of a conversation are kept.
CREATE TABLE summaries (
    summary    INTEGER PRIMARY KEY,
    conv       INTEGER NOT NULL,
    br         INTEGER NOT NULL,
    upto_pos   INTEGER NOT NULL,
    tok        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX summaries_of_branch ON summaries (conv, br, upto_pos);

ALTER TABLE conversations ADD COLUMN compaction INTEGER NOT NULL DEFAULT 0;     -- 0: as the setting "compaction" says, 1: off, 2: automatic
ALTER TABLE conversations ADD COLUMN summary_epoch INTEGER NOT NULL DEFAULT 0;  -- grows when an item is deleted: a summary begun before is not saved

-- How the tokens that a model server counts compare with our estimate.
CREATE TABLE token_factors (
    upstream       TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    thousandths    INTEGER NOT NULL,  -- counted for each thousand estimated
    samples        INTEGER NOT NULL,
    context_tokens INTEGER NOT NULL,  -- the window that the server named when it refused a prompt; 0: it never did
    PRIMARY KEY (upstream, model)
) STRICT, WITHOUT ROWID;
