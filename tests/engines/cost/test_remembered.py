"""What a book reads once of closed days, and when it reads again."""

import pytest

from engines.core.model import Context
from engines.cost.book import Book
from engines.cost.rules import STANDARD
from engines.cost.settings import CostSettings
from tests.engines.cost.spending import SealedPages

CLOSED = 20_530


@pytest.fixture
def book() -> Book:
    return Book(SealedPages(), "t", Context(CLOSED, CostSettings([], STANDARD)))


def reads(book: Book, last: int, corrected: int | None = None) -> int:
    found = []
    for _ in range(2):
        book.remembered("what", last, lambda: found.append(last))
        if corrected is not None:
            book.fix(corrected, 1)
    return len(found)


def test_closed_days_are_read_once(book: Book) -> None:
    assert reads(book, CLOSED) == 1


def test_open_days_are_read_every_time(book: Book) -> None:
    assert reads(book, CLOSED + 1) == 2


def test_a_corrected_day_has_closed_days_read_again(book: Book) -> None:
    assert reads(book, CLOSED, corrected=CLOSED - 3) == 2
    assert book.total(CLOSED - 3) == 1
