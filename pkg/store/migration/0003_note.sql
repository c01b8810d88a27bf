-- What people and the appliance itself did about alarms, and every word on
-- silences. The newest word on a silence is the silence.
CREATE TABLE note (
	id      TEXT PRIMARY KEY,
	kind    TEXT NOT NULL,
	at      TEXT NOT NULL,
	alarm   TEXT NOT NULL, -- '' where it is about a silence
	silence TEXT NOT NULL, -- '' where it is about an alarm
	until   TEXT NOT NULL, -- when the silence ends, '' for the others
	body    TEXT NOT NULL  -- libra.Note as JSON
) STRICT;
CREATE INDEX note_at ON note (at);
CREATE INDEX note_alarm_at ON note (alarm, at);
CREATE INDEX note_silence_at ON note (silence, at);

-- The newest word on whether a page is watched.
CREATE TABLE watch (
	page    TEXT PRIMARY KEY,
	every_s INTEGER NOT NULL, -- 0: not any more
	at      TEXT NOT NULL,
	body    TEXT NOT NULL -- event.Watch as JSON
) STRICT;
CREATE INDEX watch_active ON watch (every_s > 0, at);
