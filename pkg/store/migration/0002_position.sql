-- Where each stream of the bus was read to: kept in the same transaction as
-- what was read, so that the history itself says what it lacks.
CREATE TABLE position (
	stream   TEXT PRIMARY KEY,
	created  TEXT NOT NULL, -- the stream's incarnation
	sequence INTEGER NOT NULL
) STRICT;

-- "The newest good report, else the newest failed one" without a scan.
CREATE INDEX report_page_good_at ON report (page, outcome = 'failed', at);
