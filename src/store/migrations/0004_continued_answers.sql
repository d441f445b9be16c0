-- The position, on the run's branch, of the incomplete answer that this run goes on with. The commit that ends the run puts the
-- new answer in its place. 0: none.
ALTER TABLE runs ADD COLUMN continues INTEGER NOT NULL DEFAULT 0;
