-- A report without a page, and one whose page answered with a status other than 2xx,
-- is an error. Earlier versions stored the first as 'failed', and the second as
-- 'complete' or 'partial'.
UPDATE report SET outcome = 'error'
WHERE outcome = 'failed' OR outcome != 'error' AND status != 0 AND status NOT BETWEEN 200 AND 299;
DROP INDEX report_page_good_at;
CREATE INDEX report_page_good_at ON report (page, outcome = 'error', at);
