-- What an answer may hold besides a text, and how long it took. items.type has numbers since: 0 message, 1 reasoning, 2 function_call,
-- 3 function_call_output, 4 other (base/ids.hpp); its items' ids say the same.

ALTER TABLE runs ADD COLUMN first_token_ms INTEGER;  -- NULL: no token came, or nobody measured; then the other two count for nothing
ALTER TABLE runs ADD COLUMN duration_ms    INTEGER;
ALTER TABLE runs ADD COLUMN output_tokens  INTEGER;  -- as the model server counted them; NULL: it did not
