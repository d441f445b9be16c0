-- Keys with scopes, a ledger that knows who pays and what it costs, its sums by day and by month, and limits.

ALTER TABLE api_keys ADD COLUMN models     TEXT    NOT NULL DEFAULT '[]';  -- a JSON array of names or patterns with '*'; empty: all
ALTER TABLE api_keys ADD COLUMN read_only  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;                        -- NULL: never

-- What a run was asked for with: one of the two, or neither. Its row of the ledger is written when it ends, perhaps after a crash.
ALTER TABLE runs ADD COLUMN key_id     BLOB;
ALTER TABLE runs ADD COLUMN session_id BLOB;

-- run: 0 for an answer of which nothing is stored.
ALTER TABLE usage_ledger ADD COLUMN key_id        BLOB;
ALTER TABLE usage_ledger ADD COLUMN session_id    BLOB;
ALTER TABLE usage_ledger ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;  -- of the input tokens
ALTER TABLE usage_ledger ADD COLUMN cost          INTEGER NOT NULL DEFAULT 0;  -- billionths of the currency, by the prices of that moment
ALTER TABLE usage_ledger ADD COLUMN estimated     INTEGER NOT NULL DEFAULT 0;  -- 1: the model server counted nothing

CREATE INDEX usage_by_time ON usage_ledger (at);
CREATE INDEX usage_of_user ON usage_ledger (user_no, at);

-- Sums of the ledger, kept in the transaction that appends to it. day: since 1970, UTC. user_no 0: everybody.
CREATE TABLE usage_days (
    user_no       INTEGER NOT NULL,
    day           INTEGER NOT NULL,
    model         TEXT    NOT NULL,
    requests      INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost          INTEGER NOT NULL,
    PRIMARY KEY (user_no, day, model)
) STRICT, WITHOUT ROWID;

-- month: year * 12 + month - 1, UTC. key_id X'': all that the person used, with whatever key.
CREATE TABLE usage_months (
    month         INTEGER NOT NULL,
    key_id        BLOB    NOT NULL,
    user_no       INTEGER NOT NULL,
    requests      INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost          INTEGER NOT NULL,
    PRIMARY KEY (month, key_id, user_no)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_days
    SELECT user_no, at / 86400, model, count(*), sum(input_tokens), sum(output_tokens), 0 FROM usage_ledger
    WHERE input_tokens + output_tokens > 0 GROUP BY user_no, at / 86400, model;
INSERT INTO usage_days
    SELECT 0, day, model, sum(requests), sum(input_tokens), sum(output_tokens), 0 FROM usage_days GROUP BY day, model;
INSERT INTO usage_months
    SELECT CAST(strftime('%Y', at, 'unixepoch') AS INTEGER) * 12 + CAST(strftime('%m', at, 'unixepoch') AS INTEGER) - 1 AS month,
           X'', user_no, count(*), sum(input_tokens), sum(output_tokens), 0
    FROM usage_ledger WHERE input_tokens + output_tokens > 0 GROUP BY month, user_no;

-- What people and keys may use. scope: 0 every person, 1 every key, 2 one person, 3 one key. Each NULL: as everybody; -1: no limit.
CREATE TABLE limits (
    scope               INTEGER NOT NULL,
    subject             BLOB    NOT NULL,  -- users.id or api_keys.id; X'' for scopes 0 and 1
    requests_per_minute INTEGER,
    tokens_per_minute   INTEGER,
    requests_per_month  INTEGER,
    tokens_per_month    INTEGER,
    concurrent_answers  INTEGER,
    storage_bytes       INTEGER,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;
