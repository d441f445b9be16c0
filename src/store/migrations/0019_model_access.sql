-- Which models which people may use. A model without a row is for whom the row of the model '' names, and without that for everybody.
CREATE TABLE model_rules (
    model TEXT    NOT NULL PRIMARY KEY,
    who   INTEGER NOT NULL  -- 0: everybody, 1: administrators, 2: those in model_people, and administrators
) STRICT, WITHOUT ROWID;

CREATE TABLE model_people (
    model   TEXT    NOT NULL,
    user_no INTEGER NOT NULL,
    PRIMARY KEY (model, user_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_people_user ON model_people (user_no);
