"""One partition's pages in memory: loaded when first touched, dropped oldest first, never while they are dirty.

A page is *dirty* until it is sealed into a batch, *sealed* until that batch is committed, and *stale* until its
projection rows are written. Absence is remembered, too, so that a new page costs one look-up.

Here a page is one body under one key, whose part number is 0; what is stored is in parts, each under a key of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from engines.core.model import NEW_READERS, PageKey, TableRow
from engines.core.ports import Domain


class PageCache:
    """The port ``Pages`` over bodies the domain packs and unpacks."""

    def __init__(self, domain: Domain, entities_max: int, readers: int = NEW_READERS) -> None:
        self._domain = domain
        self._readers = readers
        self._entities_max = entities_max
        self._bodies: dict[PageKey, object | None] = {}
        self._places: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        """Tenants by kind and bucket of the pages here: a close does not look at every page."""
        self._weights: dict[PageKey, int] = {}
        self._weight = 0
        self._dirty: dict[PageKey, None] = {}
        self._sealed: dict[PageKey, None] = {}
        self._projected: set[PageKey] = set()
        self.stale: dict[PageKey, int] = {}
        """Pages whose projections lag, and the offset since which they do; in that order."""

    def known(self, key: PageKey) -> bool:
        """Whether it is known if the page exists."""
        return key in self._bodies

    def unknown(self, keys: Iterable[PageKey]) -> list[PageKey]:
        """Return those of *keys* of which it is not known whether they exist."""
        return [key for key in keys if key not in self._bodies]

    def get(self, key: PageKey) -> object | None:
        """Return the page's body, None when there is none; raises KeyError when not known."""
        body = self._bodies.pop(key)
        self._bodies[key] = body  # last used, last dropped
        return body

    def put(self, key: PageKey, body: object) -> None:
        """Add a new page, dirty."""
        self._bodies[key] = body
        self._places[key.kind][key.bucket].add(key.tenant_id)
        self.touch(key)

    def touch(self, key: PageKey) -> None:
        """Mark a page changed."""
        self._dirty[key] = None
        self._projected.discard(key)

    def lags(self, key: PageKey) -> bool:
        """Whether the page's newest projection rows are not written or on their way."""
        return key in self.stale or (key in self._dirty and key not in self._projected)

    def fill(self, asked: Iterable[PageKey], found: Mapping[PageKey, bytes]) -> None:
        """Take in what the store answered: all parts of pages, and that of the rest of *asked* there are none."""
        parts: defaultdict[PageKey, dict[int, bytes]] = defaultdict(dict)
        for stored, sealed in found.items():
            parts[whole(stored)][stored.page] = sealed
        for key in asked:
            if key not in self._bodies:
                self._bodies[key] = self._domain.unpack(key, parts[key]) if key in parts else None
                if key in parts:
                    self._places[key.kind][key.bucket].add(key.tenant_id)
                self._weigh(key)

    def seal(self, as_of: int) -> list[tuple[PageKey, bytes]]:
        """Return the changed parts of the dirty pages, to be stored as of offset *as_of*.

        The pages are sealed until ``sealed_committed``, and their projections lag since *as_of*.
        """
        self.mark_stale((key for key in self._dirty if key not in self._projected), as_of)
        self._projected.clear()
        sealed = [
            (key._replace(page=part) if part else key, body)
            for key in self._dirty
            for part, body in self._domain.pack(key, self._bodies[key], self._readers)
        ]
        for key in self._dirty:
            self._weigh(key)
        self._sealed, self._dirty = self._dirty, {}
        return sealed

    @property
    def dirty(self) -> Collection[PageKey]:
        """Keys changed since the last seal."""
        return self._dirty.keys()

    def sealed_committed(self) -> None:
        """The sealed pages are in the store now; drop the oldest clean ones beyond the budget."""
        self._sealed = {}
        if self._weight <= self._entities_max:
            return
        for key in list(self._bodies):
            if self._weight <= self._entities_max:
                break
            if key not in self._dirty:
                self._drop(key)

    def mark_stale(self, keys: Iterable[PageKey], since: int) -> None:
        """Remember that the projections of *keys*, pages or parts of them, lag since offset *since*."""
        for key in keys:
            self.stale.setdefault(whole(key), since)

    def project(self, keys: Iterable[PageKey], as_of: int) -> list[TableRow]:
        """Return the projection rows of *keys*, all known, and count them as written."""
        rows: list[TableRow] = []
        for key in keys:
            self.stale.pop(key, None)
            self._projected.add(key)
            body = self._bodies[key]
            if body is not None:
                rows.extend(self._domain.project(key, body, as_of))
        return rows

    def tenants(self, kind: str, buckets: range) -> set[str]:
        """Return the tenants that have a page of *kind* in *buckets* here, committed or not."""
        places = self._places[kind]
        return {tenant_id for bucket, tenants in places.items() if bucket in buckets for tenant_id in tenants}

    def first_bucket(self, kind: str, buckets: range) -> int | None:
        """Return the lowest bucket in *buckets* that has a page of *kind* here."""
        return min((bucket for bucket in self._places[kind] if bucket in buckets), default=None)

    def _drop(self, key: PageKey) -> None:
        self._weight -= self._weights.pop(key, 0)
        if self._bodies.pop(key) is not None:
            places = self._places[key.kind]
            places[key.bucket].discard(key.tenant_id)
            if not places[key.bucket]:
                del places[key.bucket]

    def _weigh(self, key: PageKey) -> None:
        body = self._bodies[key]
        weight = 1 if body is None else 1 + self._domain.weight(body)
        self._weight += weight - self._weights.get(key, 0)
        self._weights[key] = weight


def whole(key: PageKey) -> PageKey:
    """Return the key of the page that *key* stores a part of."""
    return key._replace(page=0) if key.page else key
