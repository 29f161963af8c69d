"""Writing settings: rows that are appended, and what is refused before."""

from collections.abc import Sequence

import pytest

from engines.core.errors import SettingsError
from engines.core.model import NewSetting, SettingRow
from engines.cost.setting_lines import BudgetLine, SettingLine, TagLine, line_of
from engines.cost.write import CostWriteService


class Appended:
    """Keeps what was appended."""

    def __init__(self) -> None:
        self.rows: list[NewSetting] = []

    async def append(self, rows: Sequence[NewSetting]) -> None:
        self.rows += rows

    @property
    def lines(self) -> list[SettingLine | None]:
        return [line_of(SettingRow(seq, *row)) for seq, row in enumerate(self.rows, 1)]


@pytest.fixture
def writer() -> Appended:
    return Appended()


@pytest.fixture
def service(writer: Appended) -> CostWriteService:
    return CostWriteService(writer)


async def test_a_tag_is_created_and_only_what_is_given_is_changed(service: CostWriteService, writer: Appended) -> None:
    created = await service.create_feature_tag("acme", "triage", "Triage", effective_us=0)
    renamed = await service.update_feature_tag(created, "Tickets", effective_us=1)
    inactive = await service.update_feature_tag(renamed, is_active=False, effective_us=None)
    assert writer.lines == [created, renamed, inactive]
    assert [(tag.display_name, tag.is_active) for tag in (created, renamed, inactive)] == [
        ("Triage", True),
        ("Tickets", True),
        ("Tickets", False),
    ]
    assert [row.effective_us for row in writer.rows] == [0, 1, None]


async def test_a_budget_is_replaced_whole_and_stays_as_active_as_it_was(
    service: CostWriteService, writer: Appended
) -> None:
    first = await service.create_or_update_budget(None, "acme", "user", "ana", 100, 2000, 90, effective_us=0)
    removed = await service.remove_budget(first, effective_us=1)
    second = await service.create_or_update_budget(removed, "acme", "user", "ana", None, 5, effective_us=2)
    assert writer.lines == [first, removed, second]
    assert (removed.is_active, removed.daily_limit_cents) == (False, 100)
    expected = BudgetLine(
        tenant_id="acme",
        budget_type="user",
        entity_id="ana",
        monthly_limit_cents=5,
        is_active=False,
        effective_from="1970-01-01T00:00:00.000002Z",
    )
    assert second == expected


async def test_a_rule_is_set_for_one_tenant_or_all(service: CostWriteService, writer: Appended) -> None:
    await service.set_rule("profile", "reference", effective_us=0)
    await service.set_rule("spike_pct", 150, "acme", effective_us=0)
    assert [(row.kind, row.tenant_id, row.body) for row in writer.rows] == [
        ("rule", "*", b'{"name":"profile","value":"reference"}'),
        ("rule", "acme", b'{"name":"spike_pct","value":150}'),
    ]


async def test_what_is_not_valid_is_never_appended(service: CostWriteService, writer: Appended) -> None:
    tag = TagLine(tenant_id="acme", tag="triage", display_name="Triage")
    for refused, told in (
        (service.create_or_update_budget(None, "acme", "user", None, 1, None, effective_us=0), "entity_id is needed"),
        (service.create_or_update_budget(None, "*", "tenant", None, 1, None, effective_us=0), "tenant_id is one"),
        (service.create_or_update_budget(None, "a", "tenant", None, 1, None, 101, effective_us=0), "warn_threshold"),
        (service.create_feature_tag("*", "triage", effective_us=0), "tenant_id is one"),
        (service.update_feature_tag(tag, "", effective_us=0), "display_name string should"),
        (service.set_rule("spike_pct", 99, effective_us=0), "value is not between"),
    ):
        with pytest.raises(SettingsError, match=told):
            await refused
    assert writer.rows == []
