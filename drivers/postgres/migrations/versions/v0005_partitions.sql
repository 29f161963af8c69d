-- Makes the time partition of table parent that begins on day first; harmless when it is there.
-- Runs with its owner's rights, so that a worker need not own the tables. It builds the table aside and attaches it:
-- that waits for no reader or writer, and none waits for it.
CREATE FUNCTION ensure_partition(parent text, first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' SET search_path = {schema}, pg_temp
AS $$
DECLARE
    child text := parent || '_' || to_char(first, 'YYYYMMDD');
    weekly boolean := parent IN ('pages', 'id_blocks');
    last date := CASE WHEN weekly THEN first + 7 ELSE (first + interval '1 month')::date END;
    storage text := CASE parent
        -- Page bodies of some 4 KB stay in the row: updates take two thirds of the time, and a seventh of the space,
        -- that the same bodies take outside of it. What is longer goes outside, uncompressed (it is packed already).
        WHEN 'pages' THEN 'WITH (toast_tuple_target = 8160, fillfactor = 70,'
            ' autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05)'
        WHEN 'snapshots' THEN 'WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)'
        ELSE '' END;
    lower_bound text;
    upper_bound text;
BEGIN
    IF parent NOT IN ('pages', 'id_blocks', 'snapshots', 'anomalies', 'pattern_feedback', 'prediction_events',
                      'spend_forecasts')
       OR (weekly AND (first - date '1970-01-01') % 7 <> 0)
       OR (NOT weekly AND extract(day FROM first) <> 1) THEN
        RAISE EXCEPTION 'no partition of % begins on %', parent, first USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF to_regclass(quote_ident(child)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(quote_ident(child)) IS NOT NULL THEN
        RETURN;
    END IF;
    IF parent = 'pages' THEN  -- buckets are hours; 0 is for what belongs to no time
        lower_bound := greatest((first - date '1970-01-01') * 24, 1)::text;
        upper_bound := ((last - date '1970-01-01') * 24)::text;
    ELSIF parent = 'id_blocks' THEN
        lower_bound := (first - date '1970-01-01')::text;
        upper_bound := (last - date '1970-01-01')::text;
    ELSE
        lower_bound := quote_literal(to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00');
        upper_bound := quote_literal(to_char(last, 'YYYY-MM-DD') || ' 00:00:00+00');
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING STORAGE INCLUDING CONSTRAINTS) %s', child, parent, storage);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                   parent, child, lower_bound, upper_bound);
END
$$
;

-- Drops the time partition of table parent that begins on day first, and refuses while a worker may need it. Waits only
-- a moment for those that use the table, as others wait behind it.
CREATE FUNCTION drop_partition(parent text, first date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '300ms' SET search_path = {schema}, pg_temp
AS $$
DECLARE
    weekly boolean := parent IN ('pages', 'id_blocks');
    last date := CASE WHEN weekly THEN first + 7 ELSE (first + interval '1 month')::date END;
    needed_from date := (SELECT date '1970-01-01' + (min(watermark_us) / 86400000000)::int FROM positions)
                        - CASE parent WHEN 'id_blocks' THEN 36 ELSE 50 END;
BEGIN
    IF parent NOT IN ('pages', 'id_blocks', 'snapshots', 'anomalies', 'pattern_feedback', 'prediction_events',
                      'spend_forecasts')
       OR needed_from IS NULL OR last > needed_from THEN
        RAISE EXCEPTION 'the partition of % from % on is needed', parent, first USING ERRCODE = 'object_in_use';
    END IF;
    EXECUTE format('DROP TABLE %I', parent || '_' || to_char(first, 'YYYYMMDD'));
END
$$
