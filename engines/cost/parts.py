"""How an hour or day page of many users is cut into parts.

A page of up to ``USERS_PER_PART`` users is one part. Beyond, its users move to leaves, parts 1 … n, which split one
at a time as users come (linear hashing), so that a commit writes the leaves whose users changed and not the tenant.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from engines.cost.pages import HourPage

USERS_PER_PART: Final = 64
USER: Final = "user"


def part_of(user_id: str, leaves: int) -> int:
    """Return the part that holds *user_id* where there are *leaves* leaves."""
    if not leaves:
        return 0
    number = crc32(user_id.encode())
    half = 1 << (leaves.bit_length() - 1)
    leaf = number % (2 * half)
    return (leaf if leaf < leaves else number % half) + 1


def mark(page: HourPage, entity_type: str, entity_id: str) -> None:
    """Remember that something but a window's head changed of an entity, so that the part that holds it is written."""
    if page.leaves and entity_type == USER:
        page.changed.add(part_of(entity_id, page.leaves))


def mark_all(page: HourPage) -> None:
    """Remember that anything may have changed."""
    page.changed.update(range(1, page.leaves + 1))


def grow(page: HourPage) -> None:
    """Split leaves until there is one for every ``USERS_PER_PART`` users; the parts touched are marked changed."""
    users = len(page.totals[USER])
    if users <= USERS_PER_PART and not page.leaves:
        return
    while page.leaves * USERS_PER_PART < users:
        page.leaves += 1
        split = page.leaves - (1 << ((page.leaves - 1).bit_length() - 1)) if page.leaves > 1 else 1
        page.changed |= {page.leaves, split}
