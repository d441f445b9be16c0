-- An export of all of a user's conversations goes through them in the order of their making, which an append does not change.
CREATE INDEX conversations_of_user ON conversations (user_no, conv) WHERE deleted_at IS NULL AND hidden = 0;
