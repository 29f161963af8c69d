CREATE VIEW snapshot_lines AS
SELECT s.tenant_id,
       s.entity_type,
       s.entity_id,
       s.window_kind,
       s.start_at AS window_start,
       s.requests,
       s.unpriced_requests,
       s.retry_requests,
       s.input_tokens,
       s.cached_input_tokens,
       s.output_tokens,
       s.cost_nanousd,
       s.cost_nanousd * 0.000000001 AS cost_usd,
       s.baseline_nanousd,
       s.baseline_nanousd * 0.000000001 AS baseline_usd,
       CASE WHEN s.baseline_nanousd <> 0 AND s.cost_nanousd <> 0
            THEN round(div((s.cost_nanousd - s.baseline_nanousd) * 10000, s.baseline_nanousd) * 0.01, 2)
       END AS deviation_pct,
       CASE WHEN c.is_complete THEN 'complete' ELSE 'provisional' END AS status,
       s.restated,
       2 * s.requests + c.is_complete::int AS version,
       s.as_of_offset,
       s.partition
FROM snapshots s
LEFT JOIN positions p ON p.partition = s.partition AND p.topic = 'costs'
CROSS JOIN LATERAL (
    SELECT coalesce((s.start_at AT TIME ZONE 'UTC')::date <= date '1970-01-01' + p.closed_through, false)
) AS c (is_complete);

COMMENT ON VIEW snapshot_lines IS
'What each tenant, user, feature and model spent per UTC hour and day. Filter by window_kind (hour | day) and entity_type (tenant | user | feature | model): the rows of different types count the same money.';

COMMENT ON COLUMN snapshot_lines.window_start IS 'Start of the UTC hour or day';

COMMENT ON COLUMN snapshot_lines.requests IS 'Distinct calls; duplicates are not counted';

COMMENT ON COLUMN snapshot_lines.unpriced_requests IS 'Calls whose cost is not known; they add nothing to the cost';

COMMENT ON COLUMN snapshot_lines.input_tokens IS 'Input tokens, cached ones included';

COMMENT ON COLUMN snapshot_lines.cost_nanousd IS 'Exact cost in nano-USD (1 USD = 1000000000); null when no call had a known cost';

COMMENT ON COLUMN snapshot_lines.cost_usd IS 'The same cost in USD, exact';

COMMENT ON COLUMN snapshot_lines.baseline_nanousd IS 'Mean cost of the active days among the seven before, fixed when the day closed; null for hours and open days';

COMMENT ON COLUMN snapshot_lines.deviation_pct IS 'Cost against the baseline in percent, cut to two decimals';

COMMENT ON COLUMN snapshot_lines.status IS 'complete when its day is closed, provisional before; late calls may still correct a complete row';

COMMENT ON COLUMN snapshot_lines.restated IS 'A call arrived after the day was closed';

COMMENT ON COLUMN snapshot_lines.version IS 'Grows with every change; keep the highest when copying rows elsewhere';

COMMENT ON COLUMN snapshot_lines.as_of_offset IS 'The row counts the records of its partition before this offset';

CREATE VIEW spend_by_day AS
SELECT (window_start AT TIME ZONE 'UTC')::date AS day,
       tenant_id,
       cost_usd,
       baseline_usd,
       deviation_pct,
       requests,
       unpriced_requests,
       retry_requests,
       input_tokens,
       cached_input_tokens,
       output_tokens,
       status,
       restated
FROM snapshot_lines
WHERE window_kind = 'day' AND entity_type = 'tenant';

COMMENT ON VIEW spend_by_day IS 'One row per tenant and UTC day: the place to start. Sums over it are safe.';

COMMENT ON COLUMN spend_by_day.day IS 'UTC day';

COMMENT ON COLUMN spend_by_day.cost_usd IS 'Exact cost in USD; null when no call had a known cost';

COMMENT ON COLUMN spend_by_day.status IS 'complete when the day is closed, provisional before';

CREATE VIEW anomaly_history AS
SELECT anomaly_id,
       revision,
       tenant_id,
       anomaly_type,
       severity,
       entity_type,
       entity_id,
       window_start,
       window_end,
       period,
       status,
       current_nanousd * 0.000000001 AS current_usd,
       expected_nanousd * 0.000000001 AS expected_usd,
       deviation_pct,
       breach_count,
       derived_cause,
       message,
       revision = max(revision) OVER (PARTITION BY partition, anomaly_id, window_start) AS is_last,
       current_nanousd,
       expected_nanousd,
       line,
       partition
FROM anomalies;

COMMENT ON VIEW anomaly_history IS
'Spend anomalies as they came to be: every revision of each that was told, withdrawn ones too. Order by anomaly_id, revision.';

COMMENT ON COLUMN anomaly_history.revision IS 'Grows with what the judgement knew: the highest of an anomaly_id counts';

COMMENT ON COLUMN anomaly_history.status IS 'provisional (window open), final (closed), withdrawn (was told, and holds no more)';

COMMENT ON COLUMN anomaly_history.period IS 'daily or monthly for budgets, null for the rest';

COMMENT ON COLUMN anomaly_history.current_usd IS 'What was spent in the window, as far as this revision knew';

COMMENT ON COLUMN anomaly_history.expected_usd IS 'The baseline or the budget it is held against';

COMMENT ON COLUMN anomaly_history.deviation_pct IS 'Percent above the baseline; for budgets, percent of the limit used';

COMMENT ON COLUMN anomaly_history.breach_count IS 'Days in a row over the threshold';

COMMENT ON COLUMN anomaly_history.is_last IS 'No higher revision is known';

COMMENT ON COLUMN anomaly_history.line IS 'The whole anomaly as published';

CREATE VIEW anomalies_current AS
SELECT anomaly_id,
       tenant_id,
       anomaly_type,
       severity,
       entity_type,
       entity_id,
       window_start,
       window_end,
       period,
       status,
       current_usd,
       expected_usd,
       deviation_pct,
       breach_count,
       derived_cause,
       message,
       revision,
       current_nanousd,
       expected_nanousd,
       line,
       partition
FROM anomaly_history
WHERE is_last AND status <> 'withdrawn';

COMMENT ON VIEW anomalies_current IS
'Spend anomalies as they stand: the last revision of each, without those withdrawn. The view anomaly_history has all revisions.';

COMMENT ON COLUMN anomalies_current.status IS 'provisional while the window is open, final once it is closed';

COMMENT ON COLUMN anomalies_current.current_usd IS 'What was spent in the window';

COMMENT ON COLUMN anomalies_current.expected_usd IS 'The baseline or the budget it is held against';

COMMENT ON COLUMN anomalies_current.deviation_pct IS 'Percent above the baseline; for budgets, percent of the limit used';

COMMENT ON COLUMN anomalies_current.breach_count IS 'Days in a row over the threshold';

COMMENT ON COLUMN anomalies_current.derived_cause IS 'RETRY_LOOP, FEATURE_SURGE, PROMPT_GROWTH, TRAFFIC_GROWTH or UNKNOWN';

COMMENT ON COLUMN anomalies_current.line IS 'The whole anomaly as published';

CREATE VIEW progress AS
SELECT topic,
       partition,
       next_offset,
       timestamptz 'epoch' + watermark_us * interval '1 microsecond' AS watermark,
       timestamptz 'epoch' + last_append_ms * interval '1 millisecond' AS last_append_at,
       date '1970-01-01' + closed_through AS closed_through,
       date '1970-01-01' + closing_day AS closing_day,
       outbox_seq - published AS unpublished_messages,
       projected AS projected_before_offset,
       released,
       attempt_offset AS suspect_offset,
       attempt_tries AS suspect_tries,
       epoch,
       version,
       cluster_id,
       topic_id,
       counts
FROM positions;

COMMENT ON VIEW progress IS 'How far each input partition has come; one row per partition.';

COMMENT ON COLUMN progress.next_offset IS 'Offset of the first record that is not part of the state yet';

COMMENT ON COLUMN progress.watermark IS 'Event time up to which records are expected to be complete';

COMMENT ON COLUMN progress.closed_through IS 'Last UTC day whose judgements are fixed';

COMMENT ON COLUMN progress.unpublished_messages IS 'Messages decided but not yet acknowledged by the broker';

COMMENT ON COLUMN progress.projected_before_offset IS 'snapshots show at least the records before this offset';

COMMENT ON COLUMN progress.released IS 'The last owner left cleanly; false while a worker owns the partition';

COMMENT ON COLUMN progress.suspect_offset IS 'A worker died here while it tried the records from this offset on';

COMMENT ON COLUMN progress.epoch IS 'Time of the last claim, ms since 1970; grows with each claim';

COMMENT ON COLUMN progress.counts IS 'Records by fate, and what else adds up since offset 0';

COMMENT ON TABLE positions IS 'One row per input partition: how far it is, and the only lock. Read the view progress instead.';

COMMENT ON TABLE topics IS 'What the first claim of a topic fixed: its number of partitions and where it lives.';

COMMENT ON TABLE pages IS 'Packed state of the engines; not for reading. Query snapshot_lines instead.';

COMMENT ON TABLE id_blocks IS 'Identities of accepted records, 20 bytes each, to know duplicates by.';

COMMENT ON TABLE outbox IS 'Messages decided but not yet acknowledged by the broker.';

COMMENT ON COLUMN outbox.headers IS 'JSON, ASCII: a list of [name, base64 of the value]';

COMMENT ON TABLE snapshots IS 'Totals as the worker writes them; the view snapshot_lines adds status, version, USD and deviation.';

COMMENT ON COLUMN snapshots.window_kind IS 'hour | day';

COMMENT ON TABLE anomalies IS 'Every revision of every anomaly; the views anomalies_current and anomaly_history are for reading.';

CREATE FUNCTION latest_day() RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT (max(start_at) AT TIME ZONE 'UTC')::date FROM snapshots WHERE window_kind = 'day' AND entity_type = 'tenant'; END;

COMMENT ON FUNCTION latest_day() IS 'The latest UTC day with data: what the views spend_today, budget_usage and baselines call today';

CREATE FUNCTION start_of(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN day::timestamp AT TIME ZONE 'UTC';

COMMENT ON FUNCTION start_of(date) IS 'The instant at which a UTC day begins';

CREATE FUNCTION spend_on(wanted_day date) RETURNS TABLE (
    day date,
    tenant_id text,
    entity_type text,
    entity_id text,
    cost_usd numeric,
    baseline_usd numeric,
    deviation_pct numeric,
    baseline_days bigint,
    requests bigint,
    unpriced_requests bigint,
    status text,
    cost_nanousd numeric,
    baseline_nanousd numeric,
    partition integer
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT wanted_day,
           t.tenant_id,
           t.entity_type,
           t.entity_id,
           t.cost_nanousd * 0.000000001,
           b.nanousd * 0.000000001,
           CASE WHEN b.nanousd <> 0 AND t.cost_nanousd <> 0
                THEN round(div((t.cost_nanousd - b.nanousd) * 10000, b.nanousd) * 0.01, 2)
           END,
           t.days_before,
           t.requests::bigint,
           t.unpriced_requests::bigint,
           CASE WHEN wanted_day <= date '1970-01-01' + p.closed_through THEN 'complete' ELSE 'provisional' END,
           t.cost_nanousd,
           b.nanousd,
           t.partition
    FROM (
        SELECT s.partition,
               s.tenant_id,
               s.entity_type,
               s.entity_id,
               sum(s.requests) FILTER (WHERE s.start_at = start_of(wanted_day)) AS requests,
               sum(s.unpriced_requests) FILTER (WHERE s.start_at = start_of(wanted_day)) AS unpriced_requests,
               sum(s.cost_nanousd) FILTER (WHERE s.start_at = start_of(wanted_day)) AS cost_nanousd,
               sum(s.baseline_nanousd) FILTER (WHERE s.start_at = start_of(wanted_day)) AS fixed_nanousd,
               sum(s.cost_nanousd) FILTER (WHERE s.start_at < start_of(wanted_day)) AS before_nanousd,
               count(s.cost_nanousd) FILTER (WHERE s.start_at < start_of(wanted_day)) AS days_before
        FROM snapshots a
        JOIN snapshots s ON s.partition = a.partition AND s.tenant_id = a.tenant_id
        WHERE a.window_kind = 'day' AND a.entity_type = 'tenant' AND a.start_at = start_of(wanted_day)
          AND s.window_kind = 'day' AND s.start_at BETWEEN start_of(wanted_day - 7) AND start_of(wanted_day)
        GROUP BY s.partition, s.tenant_id, s.entity_type, s.entity_id
    ) AS t
    CROSS JOIN LATERAL (
        SELECT coalesce(t.fixed_nanousd, div(t.before_nanousd, nullif(t.days_before, 0))) AS nanousd
    ) AS b
    LEFT JOIN positions p ON p.partition = t.partition AND p.topic = 'costs'
    WHERE t.requests IS NOT NULL; END;

COMMENT ON FUNCTION spend_on(date) IS 'The view spend_today for another UTC day: SELECT * FROM spend_on(''2025-09-09'')';

CREATE VIEW spend_today AS
WITH latest AS MATERIALIZED (SELECT latest_day() AS day) -- looked up once, not for each row
SELECT t.* FROM latest CROSS JOIN LATERAL spend_on(latest.day) AS t;

COMMENT ON VIEW spend_today IS
'What each tenant, user, feature and model spent on the latest UTC day with data, against its days before. Filter by entity_type: the rows of different types count the same money. Other days: SELECT * FROM spend_on(''2025-09-09'').';

COMMENT ON COLUMN spend_today.day IS 'The latest UTC day with data';

COMMENT ON COLUMN spend_today.entity_type IS 'tenant | user | feature | model';

COMMENT ON COLUMN spend_today.cost_usd IS 'Spent so far that day, exact, in USD; null when no call had a known cost';

COMMENT ON COLUMN spend_today.baseline_usd IS 'Mean of the active days among the seven before; null without any. Fixed when the day closes';

COMMENT ON COLUMN spend_today.deviation_pct IS 'The day so far against a whole day before, in percent, cut to two decimals';

COMMENT ON COLUMN spend_today.baseline_days IS 'Days among the seven before that had a call with a known cost';

COMMENT ON COLUMN spend_today.status IS 'complete when the day is closed, provisional before';

CREATE VIEW baselines AS
WITH latest AS MATERIALIZED (SELECT latest_day() AS day) -- looked up once, not for each row
SELECT s.tenant_id,
       s.entity_type,
       s.entity_id,
       d.day,
       div(sum(s.cost_nanousd) FILTER (WHERE w.is_week), count(s.cost_nanousd) FILTER (WHERE w.is_week)) * 0.000000001
           AS mean_usd,
       count(s.cost_nanousd) FILTER (WHERE w.is_week) AS active_days,
       min(s.cost_nanousd) FILTER (WHERE w.is_week) * 0.000000001 AS min_usd,
       max(s.cost_nanousd) FILTER (WHERE w.is_week) * 0.000000001 AS max_usd,
       div(sum(s.cost_nanousd) FILTER (WHERE w.is_spike), count(s.cost_nanousd) FILTER (WHERE w.is_spike)) * 0.000000001
           AS spike_mean_usd,
       count(s.cost_nanousd) FILTER (WHERE w.is_spike) AS spike_active_days,
       div(sum(s.cost_nanousd) FILTER (WHERE w.is_drift), count(s.cost_nanousd) FILTER (WHERE w.is_drift)) * 0.000000001
           AS drift_mean_usd,
       count(s.cost_nanousd) FILTER (WHERE w.is_drift) AS drift_active_days,
       s.partition
FROM latest AS d
CROSS JOIN LATERAL (
    SELECT DISTINCT a.partition, a.tenant_id
    FROM snapshots a
    WHERE a.window_kind = 'day' AND a.entity_type = 'tenant'
      AND a.start_at >= start_of(d.day - 28) AND a.start_at < start_of(d.day)
) AS active
JOIN snapshots s ON s.partition = active.partition AND s.tenant_id = active.tenant_id
                AND s.window_kind = 'day' AND s.start_at >= start_of(d.day - 28) AND s.start_at < start_of(d.day)
CROSS JOIN LATERAL (
    SELECT s.start_at >= start_of(d.day - 7),
           s.start_at BETWEEN start_of(d.day - 14) AND start_of(d.day - 2),
           s.start_at <= start_of(d.day - 8)
) AS w (is_week, is_spike, is_drift)
GROUP BY s.partition, s.tenant_id, s.entity_type, s.entity_id, d.day;

COMMENT ON VIEW baselines IS
'What the latest UTC day with data is held against, for each entity that was active in the 28 days before it. Means are over days with a call of known cost. Totals as they stand, late calls included.';

COMMENT ON COLUMN baselines.day IS 'The day that is held against these: the latest UTC day with data';

COMMENT ON COLUMN baselines.mean_usd IS 'Mean day among the seven before: that of snapshot_lines, spend_today and the day-level anomalies';

COMMENT ON COLUMN baselines.active_days IS 'Days in mean_usd';

COMMENT ON COLUMN baselines.spike_mean_usd IS 'Mean day among the 13 that end two days before: that of ABSOLUTE_SPIKE';

COMMENT ON COLUMN baselines.spike_active_days IS 'Days in spike_mean_usd';

COMMENT ON COLUMN baselines.drift_mean_usd IS 'Mean day among the 21 that end eight days before: that of SUSTAINED_DRIFT (tenants)';

COMMENT ON COLUMN baselines.drift_active_days IS 'Days in drift_mean_usd';

CREATE FUNCTION budgets_before(moment timestamptz) RETURNS TABLE (
    tenant_id text,
    budget_type text,
    entity_id text,
    daily_limit_usd numeric,
    monthly_limit_usd numeric,
    warn_threshold_pct integer,
    hard_limit_enabled boolean,
    is_active boolean,
    effective_from timestamptz,
    set_at timestamptz,
    seq bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT ON (s.tenant_id, s.body ->> 'budget_type', s.body ->> 'entity_id')
           s.tenant_id,
           s.body ->> 'budget_type',
           s.body ->> 'entity_id',
           (s.body ->> 'daily_limit_cents')::numeric * 0.01,
           (s.body ->> 'monthly_limit_cents')::numeric * 0.01,
           (s.body ->> 'warn_threshold_pct')::integer,
           (s.body ->> 'hard_limit_enabled')::boolean,
           (s.body ->> 'is_active')::boolean,
           s.effective_at,
           s.appended_at,
           s.seq
    FROM settings s
    WHERE s.kind = 'budget' AND (s.effective_at IS NULL OR s.effective_at < moment)
    ORDER BY s.tenant_id, s.body ->> 'budget_type', s.body ->> 'entity_id', s.effective_at DESC NULLS LAST, s.seq DESC; END;

COMMENT ON FUNCTION budgets_before(timestamptz) IS 'The budgets that count for a window that ends at this instant: of each the row in force last before it';

CREATE VIEW budgets_current AS SELECT * FROM budgets_before(clock_timestamp());

COMMENT ON VIEW budgets_current IS
'The budgets in force now, by the clock; one row per tenant, budget_type and entity_id. The table settings has all rows ever set.';

COMMENT ON COLUMN budgets_current.budget_type IS 'tenant | feature | user: whose spend is limited';

COMMENT ON COLUMN budgets_current.entity_id IS 'The feature or user; the tenant itself for budgets of a tenant';

COMMENT ON COLUMN budgets_current.daily_limit_usd IS 'Limit of a UTC day; null or 0: none';

COMMENT ON COLUMN budgets_current.monthly_limit_usd IS 'Limit of a UTC month; null or 0: none';

COMMENT ON COLUMN budgets_current.warn_threshold_pct IS 'From this percentage of the limit on there is a BUDGET_WARNING';

COMMENT ON COLUMN budgets_current.is_active IS 'False when the budget was removed';

COMMENT ON COLUMN budgets_current.effective_from IS 'In force from here on; null: always';

COMMENT ON COLUMN budgets_current.set_at IS 'When somebody set it';

CREATE FUNCTION budget_usage_on(wanted_day date) RETURNS TABLE (
    tenant_id text,
    budget_type text,
    entity_id text,
    period text,
    window_start timestamptz,
    used_usd numeric,
    limit_usd numeric,
    usage_pct numeric,
    warn_threshold_pct integer,
    level text,
    requests bigint,
    hard_limit_enabled boolean,
    used_nanousd numeric
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT b.tenant_id,
           b.budget_type,
           b.entity_id,
           w.period,
           start_of(w.first_day),
           u.nanousd * 0.000000001,
           l.usd,
           p.usage_pct,
           b.warn_threshold_pct,
           CASE WHEN p.usage_pct >= 100 THEN 'exceeded' WHEN p.usage_pct >= b.warn_threshold_pct THEN 'warning' ELSE 'ok' END,
           u.requests,
           b.hard_limit_enabled,
           u.nanousd
    FROM (
        VALUES ('daily', wanted_day, wanted_day + 1),
               ('monthly', date_trunc('month', wanted_day::timestamp)::date,
                (date_trunc('month', wanted_day::timestamp) + interval '1 month')::date)
    ) AS w (period, first_day, next_day)
    CROSS JOIN LATERAL budgets_before(start_of(w.next_day)) AS b
    CROSS JOIN LATERAL (
        SELECT CASE w.period WHEN 'daily' THEN b.daily_limit_usd ELSE b.monthly_limit_usd END AS usd
    ) AS l
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(s.cost_nanousd), 0) AS nanousd, coalesce(sum(s.requests), 0)::bigint AS requests
        FROM positions o
        JOIN snapshots s ON s.partition = o.partition
        WHERE o.topic = 'costs'
          AND s.tenant_id = b.tenant_id
          AND s.window_kind = 'day'
          AND s.start_at BETWEEN start_of(w.first_day) AND start_of(wanted_day)
          AND s.entity_type = b.budget_type
          AND s.entity_id = b.entity_id
    ) AS u
    CROSS JOIN LATERAL (SELECT round(div(u.nanousd, l.usd * 100000) * 0.01, 2) AS usage_pct) AS p
    WHERE b.is_active AND l.usd > 0; END;

COMMENT ON FUNCTION budget_usage_on(date) IS 'The view budget_usage as of another UTC day: SELECT * FROM budget_usage_on(''2025-09-09'')';

CREATE VIEW budget_usage AS
WITH latest AS MATERIALIZED (SELECT latest_day() AS day) -- looked up once, not for each row
SELECT t.* FROM latest CROSS JOIN LATERAL budget_usage_on(latest.day) AS t;

COMMENT ON VIEW budget_usage IS
'How much of each limit is used: that of the latest UTC day with data, and that of its month up to this day. One row per budget and period that has a limit. Other days: SELECT * FROM budget_usage_on(''2025-09-09'').';

COMMENT ON COLUMN budget_usage.budget_type IS 'tenant | feature | user: whose spend is limited';

COMMENT ON COLUMN budget_usage.entity_id IS 'The feature or user; the tenant itself for budgets of a tenant';

COMMENT ON COLUMN budget_usage.period IS 'daily | monthly';

COMMENT ON COLUMN budget_usage.window_start IS 'Where the UTC day or month begins';

COMMENT ON COLUMN budget_usage.used_usd IS 'Spent in the window so far; calls without a known cost add nothing';

COMMENT ON COLUMN budget_usage.usage_pct IS 'used_usd of limit_usd in percent, cut to two decimals';

COMMENT ON COLUMN budget_usage.level IS 'ok, warning (from warn_threshold_pct on) or exceeded (from 100 on)';

COMMENT ON COLUMN budget_usage.hard_limit_enabled IS 'Kept for those who read it; nothing is stopped by it here';
