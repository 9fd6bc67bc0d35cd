-- As mrsstat does, over all requests. A row is of a day; of a caisse, of an institution, of both, or of all.
INSERT INTO mrsstat_stat (
    date, caisse_id, institution_id, validation_average_delay, savings, insured_shifts, insured_shifts_total,
    mrsrequest_count_new, mrsrequest_count_inprogress, mrsrequest_count_validated, mrsrequest_count_rejected,
    mrsrequest_total_new, mrsrequest_total_inprogress, mrsrequest_total_validated, mrsrequest_total_rejected,
    mrsrequest_count_conflicted, mrsrequest_count_conflicting, mrsrequest_count_resolved)
SELECT day, caisse_id, institution_id, delay, saving, shifts, sum(shifts) OVER w,
    new, inprogress, validated, rejected,
    sum(new) OVER w, sum(inprogress) OVER w, sum(validated) OVER w, sum(rejected) OVER w,
    conflicted, conflicting, resolved
FROM (
    SELECT (creation_datetime AT TIME ZONE 'UTC')::date AS day, caisse_id, institution_id,
        avg(delay) AS delay, sum(saving) AS saving, count(*) FILTER (WHERE insured_shift) AS shifts, count(*) AS new,
        count(*) FILTER (WHERE status = 1000) AS inprogress, count(*) FILTER (WHERE status = 2000) AS validated,
        count(*) FILTER (WHERE status = 999) AS rejected,
        count(*) FILTER (WHERE conflicts_accepted + conflicts_resolved > 0) AS conflicted,
        count(*) FILTER (WHERE conflicts_accepted > 0) AS conflicting,
        count(*) FILTER (WHERE conflicts_resolved > 0) AS resolved
    FROM mrsrequest_mrsrequest
    GROUP BY GROUPING SETS ((1), (1, 2), (1, 3), (1, 2, 3))
    HAVING (grouping(caisse_id) = 1 OR caisse_id IS NOT NULL)
        AND (grouping(institution_id) = 1 OR institution_id IS NOT NULL)
) counted
WINDOW w AS (PARTITION BY caisse_id, institution_id ORDER BY day)
ORDER BY day, caisse_id NULLS FIRST, institution_id NULLS FIRST
