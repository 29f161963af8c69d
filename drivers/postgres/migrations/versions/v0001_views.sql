CREATE VIEW snapshot_lines AS
SELECT s.tenant_id,
       s.entity_type,
       s.entity_id,
       s.window_kind AS "window",
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
'What each tenant, user, feature and model spent per UTC hour and day. Filter by "window" (hour | day) and entity_type (tenant | user | feature | model): the rows of different types count the same money.';

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
WHERE "window" = 'day' AND entity_type = 'tenant';

COMMENT ON VIEW spend_by_day IS 'One row per tenant and UTC day: the place to start. Sums over it are safe.';

COMMENT ON COLUMN spend_by_day.day IS 'UTC day';

COMMENT ON COLUMN spend_by_day.cost_usd IS 'Exact cost in USD; null when no call had a known cost';

COMMENT ON COLUMN spend_by_day.status IS 'complete when the day is closed, provisional before';

CREATE VIEW anomalies_current AS
SELECT newest.anomaly_id,
       newest.tenant_id,
       newest.anomaly_type,
       newest.severity,
       newest.entity_type,
       newest.entity_id,
       newest.window_start,
       newest.window_end,
       newest.period,
       newest.status,
       newest.current_nanousd * 0.000000001 AS current_usd,
       newest.expected_nanousd * 0.000000001 AS expected_usd,
       newest.deviation_pct,
       newest.breach_count,
       newest.derived_cause,
       newest.message,
       newest.revision,
       newest.current_nanousd,
       newest.expected_nanousd,
       newest.line,
       newest.partition
FROM (SELECT DISTINCT ON (partition, anomaly_id) * FROM anomalies
      ORDER BY partition, anomaly_id, revision DESC) AS newest
WHERE newest.status <> 'withdrawn';

COMMENT ON VIEW anomalies_current IS
'Spend anomalies as they stand: the last revision of each, without those withdrawn. Table anomalies keeps all revisions.';

COMMENT ON COLUMN anomalies_current.status IS 'provisional while the window is open, final once it is closed';

COMMENT ON COLUMN anomalies_current.current_usd IS 'What was spent in the window';

COMMENT ON COLUMN anomalies_current.expected_usd IS 'The baseline or the budget it is held against';

COMMENT ON COLUMN anomalies_current.breach_count IS 'Days in a row over the threshold';

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

COMMENT ON TABLE anomalies IS 'Every revision of every anomaly; the view anomalies_current shows how things stand.';
