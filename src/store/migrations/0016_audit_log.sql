-- What was done that matters for security, by whom and from where; never what was said, and no secret. Rows are only added: the triggers
-- refuse everything else, but for the removal of what is older than a year, or older than the newest million rows.
CREATE TABLE audit_log (
    entry    INTEGER PRIMARY KEY AUTOINCREMENT,  -- in order of making; never given twice
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,                   -- 'ok', or the code of the error
    actor_no INTEGER NOT NULL,                   -- users.user_no; 0: nobody who is known, or the command line
    actor    TEXT    NOT NULL,                   -- the person's id; '': see actor_no
    email    TEXT    NOT NULL,                   -- as it was then; "command line" for that
    address  TEXT    NOT NULL,                   -- '': none
    object   TEXT    NOT NULL,                   -- the id or name of what it was done to
    detail   TEXT    NOT NULL                    -- names of what changed, the address of the person it was done to
) STRICT;

CREATE INDEX audit_of_person ON audit_log (actor, entry);
CREATE INDEX audit_of_kind ON audit_log (kind, entry);
CREATE INDEX audit_by_time ON audit_log (at);

CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

-- INSERT OR REPLACE would remove the row that was there without asking the trigger below.
CREATE TRIGGER audit_never_replaced BEFORE INSERT ON audit_log WHEN EXISTS (SELECT 1 FROM audit_log WHERE entry = new.entry) BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit_log
    WHEN old.at > CAST(strftime('%s', 'now') AS INTEGER) - 365 * 86400 AND old.entry > (SELECT max(entry) FROM audit_log) - 1000000 BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
