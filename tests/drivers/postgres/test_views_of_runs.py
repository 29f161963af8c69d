"""The views of feedback and predictions, on rows that the store and the writer of settings wrote."""

import json
from datetime import UTC, datetime

from drivers.postgres.connections import Raw
from drivers.postgres.store import PostgresStore
from engines.core.model import TopicPartition
from engines.runs.setting_lines import acknowledgement
from tests.drivers.postgres.viewed import DAY, DAY_US, SEEN, SEEN_US, is_set, read, written
from tests.drivers.rows import feedback, forecast, prediction
from tests.drivers.store_subject import LOG, batch


async def test_feedback_that_stands_is_the_last_revision_and_knows_of_acknowledgements_at_once(
    postgres_store: PostgresStore, observer: Raw
) -> None:
    hour = 3_600_000_000
    at = SEEN_US + hour
    rows = [
        feedback(feedback_id="pf_again", revision=4, active_since=SEEN_US - hour, as_of=SEEN_US),
        feedback(feedback_id="pf_again", revision=9, status="cleared", active=False, as_of=SEEN_US),
        feedback(feedback_id="pf_again", revision=12, active_since=at, as_of=at),
        feedback(feedback_id="pf_seen", revision=2, active_since=SEEN_US, as_of=at),
        feedback(feedback_id="pf_spike", pattern_type="cost_spike", status="final", active_since=at, as_of=at),
        feedback(feedback_id="pf_gone", revision=4, pattern_type="cost_spike", status="provisional"),
        feedback(feedback_id="pf_gone", revision=6, pattern_type="cost_spike", status="withdrawn", active=False),
        feedback(feedback_id="pf_gone", tenant_id="other", revision=4, active_since=SEEN_US, as_of=at),
    ]
    await written(postgres_store, *rows)
    said = [("pf_again", SEEN, "ana"), ("pf_seen", SEEN, "ben"), ("pf_seen", SEEN, "eve"), ("pf_gone", SEEN, "ana")]
    for seq, (feedback_id, as_of, by) in enumerate(said, 1):
        setting = acknowledgement("acme", feedback_id, as_of, at_us=at, by=by).setting()
        await is_set(observer, (seq, setting.kind, "acme", None, json.loads(setting.body)))
    current = (
        "SELECT tenant_id, feedback_id, revision, status, acknowledged, acknowledged_by, proposal_eligible"
        " FROM feedback_current ORDER BY 1, 2"
    )
    assert await read(observer, current) == [
        ("acme", "pf_again", 12, "active", False, None, True),
        ("acme", "pf_seen", 2, "active", True, "eve", False),
        ("acme", "pf_spike", 8, "final", False, None, False),
        ("other", "pf_gone", 4, "active", False, None, True),
    ]
    (acknowledged_at,) = await read(observer, "SELECT acknowledged_at FROM feedback_current WHERE acknowledged")
    assert acknowledged_at == (datetime.fromtimestamp(at / 10**6, UTC),)
    history = "SELECT revision, status, is_last FROM feedback_history WHERE feedback_id = 'pf_again' ORDER BY 1"
    assert await read(observer, history) == [(4, "active", False), (9, "cleared", False), (12, "active", True)]


async def test_predictions_that_stand_are_last_revisions(postgres_store: PostgresStore, observer: Raw) -> None:
    rows = [
        prediction(prediction_id="pr_1", revision=4),
        prediction(prediction_id="pr_1", revision=9, status="expired"),
        prediction(prediction_id="pr_2", revision=4),
        prediction(prediction_id="pr_2", revision=6, status="withdrawn"),
        prediction(prediction_id="pr_3", revision=6, confidence_score=0.125),
    ]
    await written(postgres_store, *rows)
    current = "SELECT prediction_id, revision, status, confidence_score FROM predictions_current ORDER BY 1"
    assert await read(observer, current) == [("pr_1", 9, "expired", 0.75), ("pr_3", 6, "active", 0.125)]
    assert await read(observer, "SELECT count(*) FROM prediction_history WHERE is_last") == [(3,)]


async def test_what_is_calibrated_expires_with_the_windows_of_its_topic(
    postgres_store: PostgresStore, observer: Raw
) -> None:
    times = {"as_of": DAY * DAY_US, "expires_at": (DAY + 1) * DAY_US}
    current = "SELECT prediction_id, status, line ->> 'status' FROM predictions_current ORDER BY 1"
    sealed = '{"status":"active"}'
    made = {
        "costs": forecast(prediction_id="pr_costs", line=sealed, **times),
        "runs": prediction(prediction_id="pr_runs", line=sealed, **times),
    }
    for topic, row in made.items():
        closed = DAY - 1 if topic == "costs" else DAY * 24 + 22
        claimed = await postgres_store.claim(TopicPartition(topic, 3), LOG)
        assert await postgres_store.commit(batch(claimed, {"closed_through": closed}, rows=[row]))
    assert await read(observer, current) == [("pr_costs", "active", "active"), ("pr_runs", "active", "active")]
    for topic in made:
        claimed = await postgres_store.claim(TopicPartition(topic, 3), LOG)
        closed = DAY if topic == "costs" else DAY * 24 + 23
        assert await postgres_store.commit(batch(claimed, {"closed_through": closed}))
    assert await read(observer, current) == [("pr_costs", "expired", "active"), ("pr_runs", "expired", "active")]
