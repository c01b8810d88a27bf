-- Transitions of alarms and notes can be missing, too: of which stream a gap is. Column
-- "reports" counts the messages of that stream.
ALTER TABLE gap ADD COLUMN stream TEXT NOT NULL DEFAULT 'REPORTS';
