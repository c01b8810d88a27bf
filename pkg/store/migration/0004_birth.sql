-- Since when this history goes: one row. A database that was made anew says so,
-- where pages that are gone would look as if they had never been.
CREATE TABLE birth (
	at TEXT NOT NULL -- RFC 3339, UTC
) STRICT;
INSERT INTO birth VALUES (coalesce((SELECT min(first_asked) FROM page), strftime('%Y-%m-%dT%H:%M:%SZ', 'now')));
