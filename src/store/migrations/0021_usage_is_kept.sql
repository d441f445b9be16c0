-- What was counted is neither changed nor taken back.
CREATE TRIGGER usage_never_changes BEFORE UPDATE ON usage_ledger BEGIN
    SELECT RAISE(ABORT, 'the usage ledger is only added to');
END;

CREATE TRIGGER usage_is_kept BEFORE DELETE ON usage_ledger BEGIN
    SELECT RAISE(ABORT, 'the usage ledger is only added to');
END;
