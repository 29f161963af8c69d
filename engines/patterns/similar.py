"""Similar templates as one pattern, for the eye: a view.

A pattern's key stays its signature. What is merged here depends on which templates there are; nothing is stored,
counted or published by it, so that a template that comes later changes what one sees and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

SIMILARITY_PCT: Final = 80
_ERROR_ENDINGS: Final = ("error", "exception", "warning", "fault", "failure")


def merge_view(templates: Iterable[str], at_least_pct: int = SIMILARITY_PCT) -> tuple[tuple[str, ...], ...]:
    """Return *templates* in groups: chains of which each neighbours share *at_least_pct* per cent of their words.

    Templates that name different classes of errors are never neighbours. The order of *templates*, and how often each
    is given, make no difference. Work grows with the square of their number: meant for the patterns on a screen.

    Args:
        templates: as ``template_of`` returns them.
        at_least_pct: twice the words two templates have in common, in per cent of the words of both; 1 to 100.
    """
    distinct = sorted(set(templates))
    words = [Counter(template.lower().split()) for template in distinct]
    classes = [frozenset(word for word in each if word.strip(".:,;()").endswith(_ERROR_ENDINGS)) for each in words]
    leader = list(range(len(distinct)))
    for one in range(len(distinct)):
        for other in range(one):
            if classes[one] == classes[other] and _similar(words[one], words[other], at_least_pct):
                _join(leader, one, other)
    groups = dict[int, list[str]]()
    for index, template in enumerate(distinct):
        groups.setdefault(_first(leader, index), []).append(template)
    return tuple(tuple(group) for group in groups.values())


def _similar(one: Counter[str], other: Counter[str], at_least_pct: int) -> bool:
    common = (one & other).total()
    return 200 * common >= at_least_pct * (one.total() + other.total())


def _first(leader: Sequence[int], index: int) -> int:
    while leader[index] != index:
        index = leader[index]
    return index


def _join(leader: list[int], one: int, other: int) -> None:
    low, high = sorted((_first(leader, one), _first(leader, other)))
    leader[high] = low
