-- The time from which on this history is complete: one row. Without it, a page that
-- a new database lacks would look as if it had never been inspected.
CREATE TABLE birth (
	at TEXT NOT NULL -- RFC 3339, UTC
) STRICT;
INSERT INTO birth VALUES (coalesce((SELECT min(first_asked) FROM page), strftime('%Y-%m-%dT%H:%M:%SZ', 'now')));
