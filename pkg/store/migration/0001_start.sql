-- One row for each page that has a report.
CREATE TABLE page (
	id         TEXT PRIMARY KEY,
	url        TEXT NOT NULL,
	first_asked TEXT NOT NULL
) STRICT;

-- One row for each request that has a report. The request id is the key, so that
-- storing a report twice keeps the first.
CREATE TABLE report (
	request        TEXT PRIMARY KEY,
	page           TEXT NOT NULL REFERENCES page (id),
	at             TEXT NOT NULL, -- when it was published; RFC 3339, UTC, fixed width
	outcome        TEXT NOT NULL,
	status         INTEGER NOT NULL,
	requests       INTEGER NOT NULL,
	transfer_bytes INTEGER NOT NULL,
	duration_ms    INTEGER NOT NULL,
	body           BLOB NOT NULL -- event.Reported as JSON, deflated
) STRICT;
CREATE INDEX report_page_at ON report (page, at);
CREATE INDEX report_at ON report (at);

-- The log of alarms: one row for each time one was raised or cleared.
CREATE TABLE transition (
	id       TEXT PRIMARY KEY,
	alarm    TEXT NOT NULL,
	at       TEXT NOT NULL,
	state    TEXT NOT NULL,
	severity TEXT NOT NULL,
	body     TEXT NOT NULL -- libra.Transition as JSON
) STRICT;
CREATE INDEX transition_at ON transition (at);
CREATE INDEX transition_alarm_at ON transition (alarm, at);
