-- Branches that continue a path at one place, to switch between them: by parent and place.
CREATE INDEX branches_of_parent ON branches (conv, parent_br, fork_pos);

-- viewed = 1: among the branches that leave this one's parent at this place or before, this one was looked at last. A switch to
-- the items before the place leads on into it.
ALTER TABLE branches ADD COLUMN viewed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE branches DROP COLUMN last_leaf;
CREATE INDEX branches_viewed ON branches (conv, parent_br, fork_pos) WHERE viewed = 1;

-- 1: a copy under way. It is hidden, and wiped when the program starts again before the copy was complete.
ALTER TABLE conversations ADD COLUMN building INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversations_building ON conversations (conv) WHERE building = 1;
