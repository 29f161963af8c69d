"""Everything that was ever appended to the input topic, whatever became of its log since: what the oracle reads.

A place is an offset that goes on counting where the topic is made anew, so that it names one record for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from engines.core.model import LogRecord, TopicPartition


class History:
    """The records of the input topic by place, and which of them an operator gave up."""

    def __init__(self) -> None:
        self.generation = 0
        """How often the topic was made anew."""
        self._bases: list[dict[TopicPartition, int]] = [{}]
        self._records: dict[TopicPartition, list[tuple[int, LogRecord]]] = {}
        self._lost: defaultdict[TopicPartition, list[range]] = defaultdict(list)

    def append(self, tp: TopicPartition, record: LogRecord) -> None:
        """Remember *record*."""
        self._records.setdefault(tp, []).append((self.place(tp, record.offset), record))

    def renewed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take in that the topic was deleted when its logs ended at *ends*, and made anew."""
        last = self._bases[-1]
        self._bases.append({tp: last.get(tp, 0) + end for tp, end in ends.items()})
        self.generation += 1

    def place(self, tp: TopicPartition, offset: int, generation: int | None = None) -> int:
        """Return the place of *offset* in the topic of a *generation*; None: of the one there is."""
        return self._bases[-1 if generation is None else generation].get(tp, 0) + offset

    def offset(self, tp: TopicPartition, place: int) -> int:
        """Return the offset that a record at *place* had."""
        return place - max(base.get(tp, 0) for base in self._bases if base.get(tp, 0) <= place)

    def lose(self, tp: TopicPartition, first: int, stop: int) -> None:
        """Take in that the places *first* … *stop* - 1 are passed over for good."""
        if first < stop:
            self._lost[tp].append(range(first, stop))

    def went_back(self, tp: TopicPartition, place: int) -> None:
        """Take in that the position of *tp* is that of *place* again: what was given up after it is not."""
        self._lost[tp] = [lost for lost in self._lost[tp] if lost.stop <= place]

    def gave_up(self, tp: TopicPartition) -> bool:
        """Whether any place of *tp* is passed over."""
        return bool(self._lost[tp])

    def kept(self, tp: TopicPartition) -> Iterator[tuple[int, LogRecord]]:
        """Yield what counts, with its place."""
        for place, record in self._records.get(tp, ()):
            if not any(place in lost for lost in self._lost[tp]):
                yield place, record

    def everything(self, tp: TopicPartition) -> Iterator[LogRecord]:
        """Yield every record."""
        for _, record in self._records.get(tp, ()):
            yield record
