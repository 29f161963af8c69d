"""The documents tell every rule, and its number in both profiles."""

import re
from pathlib import Path

from engines.cost.rule_names import RULES
from engines.cost.rules import NUMBERS, REFERENCE, STANDARD
from engines.cost.settings import FEATURE_TAGS, PROFILE

CONTRACT = Path("docs/contract.md")


def test_the_contract_tells_every_number_of_both_profiles() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| \S", CONTRACT.read_text(), re.MULTILINE)
    told = {name: (int(standard), int(reference)) for name, standard, reference in rows}
    assert len(rows) == len(told)
    assert told == {name: (getattr(STANDARD, name), getattr(REFERENCE, name)) for name in NUMBERS}


def test_the_contract_names_the_rules_that_are_words() -> None:
    words = set(RULES) - set(NUMBERS)
    assert words == {PROFILE, FEATURE_TAGS}
    assert {word for word in words if f"`{word}`" not in CONTRACT.read_text()} == set()
