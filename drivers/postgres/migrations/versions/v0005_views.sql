CREATE VIEW feedback_history AS
SELECT feedback_id,
       revision,
       tenant_id,
       pattern_type,
       severity,
       status,
       active,
       signature,
       worker_id,
       occurrence_count,
       active_since,
       as_of,
       line ->> 'description' AS description,
       -- The tenant goes with the id: named here, what is asked of one tenant reads its rows alone.
       revision = max(revision) OVER (PARTITION BY partition, tenant_id, feedback_id) AS is_last,
       line,
       partition
FROM pattern_feedback;

COMMENT ON VIEW feedback_history IS
'Feedback on runs as it came to be: every revision of each pattern that was told, withdrawn ones too. Order by feedback_id, revision.';

COMMENT ON COLUMN feedback_history.revision IS 'Grows with what the judgement knew: the highest of a feedback_id counts';

COMMENT ON COLUMN feedback_history.pattern_type IS 'failure_pattern (one error in many runs) or cost_spike (one run)';

COMMENT ON COLUMN feedback_history.status IS 'Of a failure pattern active or cleared; of a spike provisional, final or withdrawn (was told, and holds no more)';

COMMENT ON COLUMN feedback_history.active IS 'The error still recurs; of a spike: it is not withdrawn';

COMMENT ON COLUMN feedback_history.signature IS 'What runs have in common: a hash of the error, or cost_spike_ and the worker';

COMMENT ON COLUMN feedback_history.worker_id IS 'Of the earliest of these runs';

COMMENT ON COLUMN feedback_history.occurrence_count IS 'Failed runs within the 24 hours before as_of; 1 for a spike';

COMMENT ON COLUMN feedback_history.active_since IS 'When it became active, in event time';

COMMENT ON COLUMN feedback_history.as_of IS 'The newest run it tells of, in event time';

COMMENT ON COLUMN feedback_history.is_last IS 'No higher revision is known';

COMMENT ON COLUMN feedback_history.line IS 'The whole feedback as published';

CREATE VIEW feedback_current AS
SELECT DISTINCT ON (h.partition, h.tenant_id, h.feedback_id)
       h.feedback_id,
       h.tenant_id,
       h.pattern_type,
       h.severity,
       h.status,
       h.active,
       h.signature,
       h.worker_id,
       h.occurrence_count,
       h.active_since,
       h.as_of,
       h.description,
       s.seq IS NOT NULL AS acknowledged,
       (s.body ->> 'acknowledged_at')::timestamptz AS acknowledged_at,
       s.body ->> 'acknowledged_by' AS acknowledged_by,
       h.active AND s.seq IS NULL AND h.pattern_type = 'failure_pattern' AS proposal_eligible,
       h.revision,
       h.line,
       h.partition
FROM feedback_history h
LEFT JOIN settings s ON s.kind = 'acknowledgement'
                    AND s.tenant_id = h.tenant_id
                    AND s.body ->> 'feedback_id' = h.feedback_id
                    AND (s.body ->> 'as_of')::timestamptz >= h.active_since
WHERE h.is_last AND h.status <> 'withdrawn'
ORDER BY h.partition, h.tenant_id, h.feedback_id, s.seq DESC NULLS LAST;

COMMENT ON VIEW feedback_current IS
'Feedback on runs as it stands: the last revision of each pattern, cleared ones too, without those withdrawn, and whether somebody has acknowledged it. The view feedback_history has all revisions.';

COMMENT ON COLUMN feedback_current.pattern_type IS 'failure_pattern (one error in many runs) or cost_spike (one run)';

COMMENT ON COLUMN feedback_current.status IS 'Of a failure pattern active or cleared; of a spike provisional or final';

COMMENT ON COLUMN feedback_current.active IS 'The error still recurs; true of a spike';

COMMENT ON COLUMN feedback_current.acknowledged IS 'Somebody acknowledged it since it became active; counts before the worker has published it';

COMMENT ON COLUMN feedback_current.proposal_eligible IS 'A failure pattern that is active and not acknowledged';

COMMENT ON COLUMN feedback_current.line IS 'The whole feedback as published';

CREATE VIEW prediction_history AS
SELECT prediction_id,
       revision,
       tenant_id,
       prediction_type,
       subject_type,
       subject_id,
       status,
       confidence_score,
       as_of,
       expires_at,
       is_advisory,
       revision = max(revision) OVER (PARTITION BY partition, tenant_id, prediction_id) AS is_last,
       line,
       partition,
       topic
FROM (SELECT 'runs' AS topic, * FROM prediction_events
      UNION ALL
      SELECT 'costs' AS topic, * FROM spend_forecasts) AS made;

COMMENT ON VIEW prediction_history IS
'Predictions about runs and about spend as they came to be: every revision of each. Order by prediction_id, revision.';

COMMENT ON COLUMN prediction_history.revision IS 'Grows with what the prediction knew: the highest of a prediction_id counts';

COMMENT ON COLUMN prediction_history.prediction_type IS 'failure_likelihood or cost_overrun; where they are asked for failure_probability and month_end_spend, too';

COMMENT ON COLUMN prediction_history.subject_type IS 'worker; of month_end_spend the type of the budget: tenant, feature or user';

COMMENT ON COLUMN prediction_history.topic IS 'What it was made of: runs or costs';

COMMENT ON COLUMN prediction_history.status IS 'active; superseded (a newer one took over), expired (its day is over) or withdrawn (holds no more)';

COMMENT ON COLUMN prediction_history.confidence_score IS 'How sure it is, 0 to 1; of month_end_spend the probability that the month exceeds the budget';

COMMENT ON COLUMN prediction_history.as_of IS 'The newest run it knows of, in event time; of calibrated ones the end of the days they know';

COMMENT ON COLUMN prediction_history.expires_at IS 'Holds before this event time: 24 hours after as_of';

COMMENT ON COLUMN prediction_history.is_advisory IS 'Always true: no run, cost or schedule changes by a prediction';

COMMENT ON COLUMN prediction_history.is_last IS 'No higher revision is known';

COMMENT ON COLUMN prediction_history.line IS 'The whole prediction as published';

CREATE VIEW predictions_current AS
SELECT h.prediction_id,
       h.tenant_id,
       h.prediction_type,
       h.subject_type,
       h.subject_id,
       -- Of calibrated ones nobody publishes that they expired: windows that end later are closed, that is all.
       CASE WHEN h.status = 'active' AND h.expires_at <= timestamptz 'epoch'
                 + (p.closed_through + 1) * CASE h.topic WHEN 'runs' THEN interval '1 hour' ELSE interval '1 day' END
            THEN 'expired' ELSE h.status END AS status,
       h.confidence_score,
       h.as_of,
       h.expires_at,
       h.is_advisory,
       h.revision,
       h.line,
       h.partition
FROM prediction_history h
LEFT JOIN positions p ON p.topic = h.topic AND p.partition = h.partition
WHERE h.is_last AND h.status <> 'withdrawn';

COMMENT ON VIEW predictions_current IS
'Predictions about runs and about spend as they stand: the last revision of each, superseded and expired ones too, without those withdrawn. The view prediction_history has all revisions.';

COMMENT ON COLUMN predictions_current.status IS 'active; superseded (a newer one took over) or expired (its day is over)';

COMMENT ON COLUMN predictions_current.expires_at IS 'Holds before this event time: 24 hours after as_of';

COMMENT ON COLUMN predictions_current.line IS 'The whole prediction as published';

COMMENT ON TABLE pattern_feedback IS 'Every revision of all feedback on runs; the views feedback_current and feedback_history are for reading.';

COMMENT ON TABLE prediction_events IS 'Every revision of every prediction about runs; the views predictions_current and prediction_history are for reading.';

COMMENT ON TABLE spend_forecasts IS 'Every forecast of month-end spend; the views predictions_current and prediction_history are for reading.';

COMMENT ON TABLE settings IS 'Budgets, tags, rules and acknowledgements as they were set: rows are appended, never changed.';

CREATE OR REPLACE VIEW progress AS
SELECT topic,
       partition,
       next_offset,
       timestamptz 'epoch' + watermark_us * interval '1 microsecond' AS watermark,
       timestamptz 'epoch' + last_append_ms * interval '1 millisecond' AS last_append_at,
       -- The windows of runs that close are hours: a day is closed with its last hour.
       date '1970-01-01' + CASE topic WHEN 'runs' THEN (closed_through + 1) / 24 - 1 ELSE closed_through END
           AS closed_through,
       date '1970-01-01' + CASE topic WHEN 'runs' THEN closing_day / 24 ELSE closing_day END AS closing_day,
       outbox_seq - published AS unpublished_messages,
       projected AS projected_before_offset,
       released,
       attempt_offset AS suspect_offset,
       attempt_tries AS suspect_tries,
       epoch,
       version,
       cluster_id,
       topic_id,
       counts,
       timestamptz 'epoch' + (closed_through + 1) * CASE topic WHEN 'runs' THEN interval '1 hour' ELSE interval '1 day' END
           AS closed_before
FROM positions;

COMMENT ON COLUMN progress.closing_day IS 'UTC day of the windows that are being closed';

COMMENT ON COLUMN progress.closed_before IS 'All windows that end here or before are closed: days of costs, hours of runs'
