-- The position up to which each stream of the bus is stored, written in the same
-- transaction as what was stored.
CREATE TABLE position (
	stream   TEXT PRIMARY KEY,
	created  TEXT NOT NULL, -- the stream's incarnation
	sequence INTEGER NOT NULL
) STRICT;

-- "The newest successful report, else the newest failed one" without a scan.
CREATE INDEX report_page_good_at ON report (page, outcome = 'failed', at);
