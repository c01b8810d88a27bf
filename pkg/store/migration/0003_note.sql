-- What people and Libra itself did about alarms, and each change of a silence. The
-- newest note on a silence is its state.
CREATE TABLE note (
	id      TEXT PRIMARY KEY,
	kind    TEXT NOT NULL,
	at      TEXT NOT NULL,
	alarm   TEXT NOT NULL, -- '' if the note is about a silence
	silence TEXT NOT NULL, -- '' if the note is about an alarm
	until   TEXT NOT NULL, -- when the silence ends, '' for the others
	body    TEXT NOT NULL  -- libra.Note as JSON
) STRICT;
CREATE INDEX note_at ON note (at);
CREATE INDEX note_alarm_at ON note (alarm, at);
CREATE INDEX note_silence_at ON note (silence, at);

-- The newest state of each page's watch.
CREATE TABLE watch (
	page    TEXT PRIMARY KEY,
	every_s INTEGER NOT NULL, -- 0: no longer watched
	at      TEXT NOT NULL,
	body    TEXT NOT NULL -- event.Watch as JSON
) STRICT;
CREATE INDEX watch_active ON watch (every_s > 0, at);
