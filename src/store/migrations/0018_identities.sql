-- By what a provider of identities (OpenID Connect) knows people. Its subject names somebody for ever; an address may change hands.

CREATE TABLE identities (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    user_no    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX identities_user ON identities (user_no, issuer);  -- one of each provider
