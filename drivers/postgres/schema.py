"""The tables as SQLAlchemy sees them; ``migrations`` creates them, and a test holds the two equal.

Every primary key of state begins with the partition, so that partitions may live in different databases. Text in
keys is ordered by code point, whatever the database's locale. Of pages the bucket comes before the tenant: what a day
needs lies together, and so do the tenants that its close visits. What grows with time is partitioned by it
(``time_partitions``).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine

from engines.core.tables import SNAPSHOTS, TABLES, ColumnType, Table

metadata = sa.MetaData()
Text = sa.Text(collation="C")
Instant = sa.TIMESTAMP(timezone=True)

projections_types: dict[ColumnType, TypeEngine[Any]] = {
    "text": Text,
    "int": sa.BigInteger(),
    "numeric": sa.Numeric(),
    "timestamp_us": Instant,
    "bool": sa.Boolean(),
    "json": pg.JSONB(),
    "float": sa.Double(),
}


def _key(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False, nullable=False)


def _needed(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


positions = sa.Table(
    "positions",
    metadata,
    _key("partition", sa.Integer),
    _key("topic", Text),
    _needed("cluster_id", Text),
    _needed("topic_id", Text),
    _needed("next_offset", sa.BigInteger),
    sa.Column("watermark_us", sa.BigInteger),
    sa.Column("last_append_ms", sa.BigInteger),
    sa.Column("closed_through", sa.Integer),
    sa.Column("closing_day", sa.Integer),
    sa.Column("closing_cursor", Text),
    _needed("outbox_seq", sa.BigInteger),
    _needed("published", sa.BigInteger),
    _needed("projected", sa.BigInteger),
    _needed("epoch", sa.BigInteger),
    _needed("version", sa.BigInteger),
    _needed("released", sa.Boolean),
    sa.Column("attempt_offset", sa.BigInteger),
    sa.Column("attempt_limit", sa.Integer),
    sa.Column("attempt_until", sa.BigInteger),
    sa.Column("attempt_tries", sa.Integer),
    _needed("counts", pg.JSONB),
    _needed("settings_seq", sa.BigInteger),
)

topics = sa.Table(
    "topics",
    metadata,
    _key("topic", Text),
    _needed("partitions", sa.Integer),
    _needed("cluster_id", Text),
    _needed("topic_id", Text),
)

pages = sa.Table(
    "pages",
    metadata,
    _key("partition", sa.Integer),
    _key("topic", Text),
    _key("kind", Text),
    _key("bucket", sa.Integer),
    _key("tenant_id", Text),
    _key("page", sa.Integer),
    _needed("body", sa.LargeBinary),
    _needed("as_of", sa.BigInteger),
    # The offset comes first, or a planner without statistics would look pages up by it.
    sa.Index("pages_as_of", "as_of", "partition", "topic"),
    postgresql_partition_by="RANGE (bucket)",
)

id_blocks = sa.Table(
    "id_blocks",
    metadata,
    _key("partition", sa.Integer),
    _key("topic", Text),
    _key("day", sa.Integer),
    _key("end_offset", sa.BigInteger),
    _needed("body", sa.LargeBinary),
    postgresql_partition_by="RANGE (day)",
)

outbox = sa.Table(
    "outbox",
    metadata,
    _key("partition", sa.Integer),
    _key("topic", Text),
    _key("seq", sa.BigInteger),
    _needed("out_topic", Text),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),
    _needed("headers", sa.LargeBinary),
    sa.Column("route", sa.LargeBinary),
    _needed("out_partition", sa.Integer),
)

settings = sa.Table(
    "settings",
    metadata,
    _key("seq", sa.BigInteger),
    _needed("kind", Text),
    _needed("tenant_id", Text),
    sa.Column("effective_at", Instant),
    _needed("body", pg.JSONB),
    _needed("appended_at", Instant),
)

settings_head = sa.Table("settings_head", metadata, _needed("seq", sa.BigInteger))

schema_range = sa.Table("schema_range", metadata, _needed("oldest", sa.Integer))


def _projection(table: Table) -> sa.Table:
    keys = table.columns[: table.key_columns]
    others = table.columns[table.key_columns :]
    return sa.Table(
        table.name,
        metadata,
        _key("partition", sa.Integer),
        *(_key(column.name, projections_types[column.type]) for column in keys),
        *(sa.Column(column.name, projections_types[column.type], nullable=column.nullable) for column in others),
        *(sa.CheckConstraint(name, name=f"{table.name}_{name}") for name in table.always_true),
        postgresql_partition_by=f"RANGE ({next(column.name for column in keys if column.type == 'timestamp_us')})",
    )


projections: dict[str, sa.Table] = {name: _projection(table) for name, table in TABLES.items()}

snapshots = projections[SNAPSHOTS.name]
sa.Index(
    "snapshots_tenant_days",
    snapshots.c.start_at,
    snapshots.c.tenant_id,
    postgresql_where=sa.text("window_kind = 'day' AND entity_type = 'tenant'"),
)
