-- Reports that the bus had discarded before they were recorded: one row for each gap,
-- written in the same transaction as the report after it.
CREATE TABLE gap (
	id      TEXT PRIMARY KEY, -- also of the note about it
	found   TEXT NOT NULL,    -- when it was read
	until   TEXT NOT NULL,    -- when the first report after it was published
	first   INTEGER NOT NULL, -- its place in the stream
	reports INTEGER NOT NULL
) STRICT;
CREATE INDEX gap_found ON gap (found);
