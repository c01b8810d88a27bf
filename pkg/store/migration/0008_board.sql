-- earlier programs: work
-- What people wrote on the board.
CREATE TABLE board (
	id    TEXT PRIMARY KEY,
	at    TEXT NOT NULL,
	alarm TEXT NOT NULL, -- '' if the note is about none
	page  TEXT NOT NULL, -- '' if the note is about none
	body  TEXT NOT NULL  -- libra.Note as JSON
) STRICT;
CREATE INDEX board_at ON board (at, id);
CREATE INDEX board_alarm_at ON board (alarm, at, id) WHERE alarm > '';
CREATE INDEX board_page_at ON board (page, at, id) WHERE page > '';
