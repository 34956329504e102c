-- The views are a contract: a column keeps its name, its type and its place; new ones come behind the last. What each
-- says is said here, by COMMENT, and docs/views.md is made from it. Rupees are numeric, never rounded on the way.

-- A text of the treasury's or a bank's may quote an account number: all but its last four digits are hidden.
CREATE FUNCTION ifms.without_numbers(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(said, '[0-9]{5,}([0-9]{4})', '*****\1', 'g')
$$;

-- The financial year of a day (IST), as sanctions and payment instructions name it.
CREATE FUNCTION ifms.financial_year(day date) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(day - interval '3 months', 'YYYY') || '-' || to_char(day + interval '9 months', 'YY')
$$;

-- Until when a failed payment is corrected: so many days, or the given day after the end of the failure's financial year if
-- that is earlier.
CREATE FUNCTION ifms.correct_by(failed_on date, days integer, last_month integer, last_day integer)
RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(failed_on + days, make_date(
        extract(year FROM failed_on - interval '3 months')::integer + CASE WHEN last_month >= 4 THEN 1 ELSE 2 END,
        last_month, last_day))
$$;
-- By the settings: the one rule, for the views, the queries and the code.
CREATE FUNCTION ifms.correct_by(failed_on date) RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ifms.correct_by(failed_on, o.correction_days, o.correction_last_month, o.correction_last_day)
    FROM ifms.setting o
$$;
