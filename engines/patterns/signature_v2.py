"""``sig_v2``: the template of an error text, and the signature that groups by it.

Both depend on the text alone: not on what came before, so any order and any replay give the same. What varies from one
occurrence to the next is masked; what identifies the error stays (docs/patterns.md). Linear in the length of the text,
of which no more than ``TEXT_LENGTH_MAX`` characters are read.
"""

from __future__ import annotations

from typing import Final

from engines.patterns.masks.context import keep_failure_statuses, mask_assigned, mask_names, mask_words
from engines.patterns.masks.tidy import tidy
from engines.patterns.masks.tokens import scan
from engines.patterns.masks.traces import essence
from engines.patterns.signature import EMPTY_ERROR, digest

SIG_V2: Final = "sig_v2"
TEXT_LENGTH_MAX: Final = 65_536


def compute_signature_v2(error: str | None) -> str:
    """Return the 16 hexadecimal digits of *error*'s template, or ``empty_error`` when it has none.

    Equal exactly for texts with equal templates, whatever their capitals.
    """
    return signature_of_template(template_of(error))


def signature_of_template(template: str) -> str:
    """Return the signature of a *template* that ``template_of`` returned."""
    return digest("v2" + template.lower()) if template else EMPTY_ERROR


def template_of(error: str | None) -> str:
    """Return *error* with a mask, ``<*>``, for what varies, in one line; empty for no text or white space alone.

    Capitals stay for the reader's sake: templates that differ in them alone have one signature.
    """
    if not error:
        return ""
    text = essence(error[:TEXT_LENGTH_MAX])
    tokens = keep_failure_statuses(scan(text))
    if "=" in text:
        tokens = mask_assigned(tokens)
    return tidy(mask_names(mask_words(tokens)))
