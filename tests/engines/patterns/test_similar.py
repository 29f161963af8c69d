from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.patterns.similar import merge_view

_TEMPLATES = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "aError", "<*>"]), max_size=6).map(" ".join))


def test_templates_that_differ_in_a_word_or_two_are_one_pattern() -> None:
    one = "Model gpt is overloaded, please try again in <*>"
    other = "Model claude is overloaded, please try again in <*>"
    assert merge_view([one, other, "connection refused"]) == ((other, one), ("connection refused",))


def test_another_class_of_error_is_another_pattern_however_alike_the_rest() -> None:
    rest = "while reading the answer of the model at <*>"
    templates = [f"ReadError: {rest}", f"TimeoutError: {rest}"]
    assert len(merge_view(templates)) == 2
    assert len(merge_view([template.replace("Error", "") for template in templates])) == 1


def test_a_chain_of_similar_templates_is_one_pattern() -> None:
    chain = ["a b c d e f", "a b c d e x", "a b c d y x", "a b c z y x"]
    assert merge_view(chain) == (tuple(chain),)
    assert len(merge_view([chain[0], chain[-1]])) == 2


def test_nothing_has_no_patterns() -> None:
    assert merge_view([]) == ()


@settings(deadline=None, derandomize=True)
@given(_TEMPLATES, st.randoms(use_true_random=False), st.integers(1, 100))
def test_neither_order_nor_repetition_makes_a_difference_and_nothing_is_lost(
    templates: list[str], random: object, at_least_pct: int
) -> None:
    shuffled = templates * 2
    getattr(random, "shuffle")(shuffled)  # noqa: B009 - hypothesis gives its own kind of random
    groups = merge_view(templates, at_least_pct)
    assert groups == merge_view(shuffled, at_least_pct)
    assert sorted(template for group in groups for template in group) == sorted(set(templates))


@settings(deadline=None, derandomize=True)
@given(_TEMPLATES)
def test_the_stricter_the_more_patterns(templates: list[str]) -> None:
    counts = [len(merge_view(templates, pct)) for pct in (1, 50, 80, 100)]
    assert counts == sorted(counts)
