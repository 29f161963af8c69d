"""The store's SQL. Bulk goes in as arrays, one statement for any number of rows.

Arrays cost the database no more than COPY for pages (measured: 170 pages of 3.5 KB, 4.0 against 4.3 ms) and leave no
moment in which a stopped client holds a lock that no time limit of the server ends.
"""

from __future__ import annotations

POSITION_COLUMNS = (
    "topic, partition, cluster_id, topic_id, next_offset, watermark_us, last_append_ms, closed_through, closing_day,"
    " closing_cursor, outbox_seq, published, projected, epoch, version, released, attempt_offset, attempt_limit,"
    " attempt_until, attempt_tries, counts::text AS counts, settings_seq"
)

READ_POSITION = "SELECT " + POSITION_COLUMNS + " FROM positions WHERE partition = $1 AND topic = $2"  # noqa: S608 constants

LOCK_POSITION = READ_POSITION + " FOR UPDATE"

PIN_TOPIC = """
INSERT INTO topics (topic, partitions, cluster_id, topic_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""

READ_PIN = "SELECT topic, partitions, cluster_id, topic_id FROM topics WHERE topic = $1"

COMPLETE_PIN = "UPDATE topics SET cluster_id = $2, topic_id = $3 WHERE topic = $1"

FIRST_POSITION = """
INSERT INTO positions (partition, topic, cluster_id, topic_id, next_offset, outbox_seq, published, projected, epoch,
                       version, released, counts, settings_seq)
VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0, true, '{}', 0)
ON CONFLICT DO NOTHING
"""

CLAIM = (
    # An epoch is the time of its claim: a database restored to an earlier commit hands none out twice.
    "UPDATE positions SET"
    " epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint),"
    " version = version + 1, released = false,"
    " cluster_id = $3, topic_id = $4"
    " WHERE partition = $1 AND topic = $2 RETURNING " + POSITION_COLUMNS
)

MOVE_POSITION = """
UPDATE positions SET
    cluster_id = $5, topic_id = $6, next_offset = $7, watermark_us = $8, last_append_ms = $9, closed_through = $10,
    closing_day = $11, closing_cursor = $12, outbox_seq = $13, published = $14, projected = $15, epoch = $16,
    version = $17, released = $18, attempt_offset = $19, attempt_limit = $20, attempt_until = $21,
    attempt_tries = $22, counts = $23::text::jsonb, settings_seq = $24
WHERE partition = $1 AND topic = $2 AND epoch = $3 AND version = $4
"""

# One index probe per key whatever the planner thinks of the table: OFFSET 0 keeps it from another kind of join.
LOAD_PAGES = """
SELECT k.n, p.page, p.body
FROM unnest($3::text[], $4::text[], $5::int[]) WITH ORDINALITY AS k (tenant_id, kind, bucket, n)
CROSS JOIN LATERAL (
    SELECT page, body FROM pages
    WHERE partition = $1 AND topic = $2 AND tenant_id = k.tenant_id AND kind = k.kind AND bucket = k.bucket
    OFFSET 0
) AS p
"""

PUT_PAGES = """
INSERT INTO pages (partition, topic, tenant_id, kind, bucket, page, body, as_of)
SELECT $1, $2, k.tenant_id, k.kind, k.bucket, k.page, k.body, $3
FROM unnest($4::text[], $5::text[], $6::int[], $7::int[], $8::bytea[]) AS k (tenant_id, kind, bucket, page, body)
ON CONFLICT (partition, topic, kind, bucket, tenant_id, page)
DO UPDATE SET body = excluded.body, as_of = excluded.as_of
"""

STALE_PAGES = """
SELECT tenant_id, kind, bucket, page, as_of FROM pages
WHERE partition = $1 AND topic = $2 AND as_of > $3
ORDER BY as_of, tenant_id, kind, bucket, page
"""

# The lowest of each bucket, in the order of the primary key and no more than asked for; then the lowest of those.
PAGE_TENANTS = """
SELECT DISTINCT lowest.tenant_id
FROM generate_series($4::int, $5::int - 1) AS buckets (bucket)
CROSS JOIN LATERAL (
    SELECT DISTINCT tenant_id FROM pages
    WHERE partition = $1 AND topic = $2 AND kind = $3 AND bucket = buckets.bucket
      AND tenant_id > coalesce($6::text, '')
    ORDER BY tenant_id LIMIT $7
) AS lowest
ORDER BY lowest.tenant_id LIMIT $7
"""

FIRST_BUCKET = """
SELECT bucket FROM pages
WHERE partition = $1 AND topic = $2 AND kind = $3 AND bucket >= $4 AND bucket < $5
ORDER BY bucket LIMIT 1
"""

LOAD_IDS = """
SELECT day, end_offset, body FROM id_blocks
WHERE partition = $1 AND topic = $2 AND day >= $3 AND day <= $4
ORDER BY day, end_offset
"""

# The same key comes twice only when an operator set the position back; no identity may be lost then.
PUT_IDS = """
INSERT INTO id_blocks (partition, topic, day, end_offset, body)
SELECT $1, $2, k.day, k.end_offset, k.body
FROM unnest($3::int[], $4::bigint[], $5::bytea[]) AS k (day, end_offset, body)
ON CONFLICT (partition, topic, day, end_offset) DO UPDATE SET body = id_blocks.body || excluded.body
"""

LOAD_OUTBOX = """
SELECT seq, out_topic, key, value, headers, route, out_partition FROM outbox
WHERE partition = $1 AND topic = $2 AND seq > $3
ORDER BY seq LIMIT $4
"""

PUT_OUTBOX = """
INSERT INTO outbox (partition, topic, seq, out_topic, key, value, headers, route, out_partition)
SELECT $1, $2, k.*
FROM unnest($3::bigint[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[], $9::int[]) AS k
"""

FORGET_PUBLISHED = "DELETE FROM outbox WHERE partition = $1 AND topic = $2 AND seq <= $3"

# Waits for a writer of settings, and holds the next one off until the close that asks is committed.
SETTINGS_HEAD = "SELECT seq FROM settings_head FOR SHARE"

LOAD_SETTINGS = """
SELECT seq, kind, tenant_id, effective_at, body::text AS body FROM settings WHERE seq > $1 ORDER BY seq
"""
