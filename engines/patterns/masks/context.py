"""What is variable by where it stands: values of assignments, ports, answers, names of people.

Each rule is a pass over the tokens that returns new ones; each is linear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engines.patterns.masks.lexicon import ANSWERS, BEFORE_USER, NO_NAMES, STATUS_NAMES, TELLING_KEYS
from engines.patterns.masks.tokens import BLANK, END, KEPT, MASK, MASKED, QUOTES, SPACE, WORD, Token, partners
from engines.patterns.masks.words import masked

_FAILURE_STATUS: Final = re.compile(r"[45]\d\d")
_STATUS_SEPARATORS: Final = frozenset({":", "=", "(", "[", '"', "'"})
_DIGIT: Final = re.compile(r"\d")
_PORT: Final = re.compile(r"\d{1,5}")
_VALUE_ENDS: Final = frozenset({",", ";", ")", "]", "}", ">", ""})
_OPENING: Final = frozenset("([{")


def keep_failure_statuses(tokens: Sequence[Token]) -> list[Token]:
    """Keep 4xx and 5xx where the text calls them the status of a failure: they tell "wait" from "mend".

    ``HTTP 429``, ``HTTP/1.1 503``, ``status 500``, ``status code: 502``, ``Error code: 429``. Not ``status: 404`` and
    its like, as request logs write of every request, failed or not.
    """
    kept = list(tokens)
    before, last = "", ""
    last_at = 0
    for index, (kind, text) in enumerate(tokens):
        if kind != WORD:
            continue
        if _FAILURE_STATUS.fullmatch(text) and _calls_for_status(before, last, tokens[last_at + 1 : index][:4]):
            kept[index] = Token(KEPT, text)
        before, last, last_at = last, text.lower(), index
    return kept


def _calls_for_status(before: str, last: str, between: Sequence[Token]) -> bool:
    if last in {"http", "status"} or last.startswith("http/"):
        return between == [BLANK]
    if last in STATUS_NAMES or (last == "code" and before in {"status", "error", "http"}):
        return all(kind == SPACE or text in _STATUS_SEPARATORS for kind, text in between)
    return False


def mask_assigned(tokens: Sequence[Token]) -> list[Token]:
    """Mask what stands after ``=``: a word, a quoted text, an object with its brackets, or nothing at all.

    Unless its key says that it tells what happened (``msg="rate limited"``, ``code = Unavailable``): such a value is
    text like any other.
    """
    closed = partners(tokens)
    result = list[Token]()
    index, end = 0, len(tokens)
    while index < end:
        token = tokens[index]
        result.append(token)
        index += 1
        if token.text != "=" or _key_before(result).lower() in TELLING_KEYS:
            continue
        start = index + 1 if _at(tokens, index).kind == SPACE else index
        stop = _value_end(tokens, start, closed)
        if stop > start or _at(tokens, start).text in _VALUE_ENDS or _is_key(tokens, start):
            result += [*tokens[index:start], MASKED] if stop > start else [MASKED]
            index = stop if stop > start else index
    return result


def _key_before(read: Sequence[Token]) -> str:
    """Return the word before the ``=`` that *read* ends in."""
    last = next((token for token in reversed(read[-3:-1]) if token.kind != SPACE), END)
    return last.text


def _value_end(tokens: Sequence[Token], start: int, closed: dict[int, int]) -> int:
    """Return the index after the value that begins at *start*, or *start* when nothing plain stands there."""
    first = _at(tokens, start)
    if first.text in QUOTES:
        return closed.get(start, start - 1) + 1
    if first.kind not in {WORD, MASK} or _is_key(tokens, start):
        return start
    index = start + 1
    if _at(tokens, index).text in _OPENING and index in closed:  # Type{…}, Type(…): one object
        return closed[index] + 1
    while _at(tokens, index).text == ":" and _at(tokens, index + 1).kind in {WORD, MASK}:  # value:value
        index += 2
    return index


def _is_key(tokens: Sequence[Token], index: int) -> bool:
    return _at(tokens, index).kind == WORD and _at(tokens, index + 1).text == "="


def mask_words(tokens: Sequence[Token]) -> list[Token]:
    """Mask words by their form, answers (true, none…) after a colon, and hosts by their ports; keep calls."""
    result = list[Token]()
    colon = False
    for index, token in enumerate(tokens):
        kind, text = token
        if kind == WORD:
            if (colon and _is_answer(tokens, index)) or _is_host(tokens, index):
                result.append(MASKED)
            else:
                form = text if _is_call(tokens, index) else masked(text)
                result.append(MASKED if form == MASKED.text else Token(WORD, form))
        else:
            result.append(token)
        if kind != SPACE:
            colon = text == ":"
    return result


def _is_answer(tokens: Sequence[Token], index: int) -> bool:
    # With words after it, it may begin a sentence: "OSError: No space left on device".
    following = _at(tokens, index + 1).text
    return tokens[index].text.lower() in ANSWERS and following in _VALUE_ENDS


def _is_call(tokens: Sequence[Token], index: int) -> bool:
    """Say whether ``name()`` stands there, or ``name(…)`` with a name that holds no digit: a function identifies."""
    if _at(tokens, index + 1).text != "(":
        return False
    return _at(tokens, index + 2).text == ")" or not _DIGIT.search(tokens[index].text)


def _is_host(tokens: Sequence[Token], index: int) -> bool:
    """Say whether a port follows: ``name.name:80``. Without a dot it may as well be a name and its value."""
    port = _at(tokens, index + 2)
    named = "." in tokens[index].text or tokens[index].text == "localhost"
    return named and _at(tokens, index + 1).text == ":" and port.kind == WORD and bool(_PORT.fullmatch(port.text))


def mask_names(tokens: Sequence[Token]) -> list[Token]:
    """Mask the name in ``for user NAME`` and in ``for NAME from ADDRESS``: who it was is no part of the error."""
    result = list(tokens)
    words = [index for index, (kind, _) in enumerate(tokens) if kind in {WORD, MASK}]
    for place, index in enumerate(words[:-1]):
        text = tokens[index].text.lower()
        before = tokens[words[place - 1]].text.lower() if place else ""
        name = words[place + 1]
        if name != index + 2 or tokens[index + 1].kind != SPACE or tokens[name].kind != WORD:
            continue
        of_user = text == "user" and before in BEFORE_USER and tokens[name].text.lower() not in NO_NAMES
        if of_user or (text == "for" and not before.endswith("ing") and _from_address(tokens, name)):
            result[name] = MASKED
    return result


def _from_address(tokens: Sequence[Token], index: int) -> bool:
    following = [_at(tokens, index + step) for step in (1, 2, 3, 4)]
    return following == [BLANK, Token(WORD, "from"), BLANK, MASKED]


def _at(tokens: Sequence[Token], index: int) -> Token:
    return tokens[index] if index < len(tokens) else END
