"""Which errors are one and which are two, and what their templates read like."""

from __future__ import annotations

import pytest

from engines.patterns.signature_v2 import compute_signature_v2, template_of
from tests.engines.patterns.pairs import DIFFERENT, SAME


@pytest.mark.parametrize("one,other", SAME.values(), ids=SAME)
def test_one_error_has_one_signature(one: str, other: str) -> None:
    assert template_of(one).lower() == template_of(other).lower()
    assert compute_signature_v2(one) == compute_signature_v2(other)


@pytest.mark.parametrize("one,other", DIFFERENT.values(), ids=DIFFERENT)
def test_two_errors_have_two_signatures(one: str, other: str) -> None:
    assert template_of(one).lower() != template_of(other).lower()
    assert compute_signature_v2(one) != compute_signature_v2(other)


@pytest.mark.parametrize(
    "error,template",
    [
        ("Timeout after 30 seconds", "Timeout after <*>"),
        ("failed at 2025-12-27T10:11:12Z with code 500", "failed at <*> with code <*>"),
        ("received 12 of 30 bytes (1.01 KB) from /10.0.0.7:59759", "received <*> of <*> from <*>"),
        ("rejected: model=claude, tag='too long', retry= 3", "rejected: model=<*>, tag=<*>, retry= <*>"),
        (
            "logname= uid=0 tty=ssh ruser= rhost=10.0.0.7  user=root",
            "logname=<*> uid=<*> tty=<*> ruser=<*> rhost=<*> user=<*>",
        ),
        ("Failed password for ann from 10.0.0.7 port 22", "Failed password for <*> from <*> port <*>"),
        ("waiting for locks from 10.0.0.7", "waiting for locks from <*>"),
        ("no rights for user ann; user unknown", "no rights for user <*>; user unknown"),
        ("Request failed with status code 503", "Request failed with status code 503"),
        ('"GET /a?b=c&d=1 HTTP/1.1" status: 404 len: 176', '"GET <*>" status: <*> len: <*>'),
        ("Base64Decoder.decode2() of 3 items", "Base64Decoder.decode2() of <*> items"),
        ("OSError: No space left on device", "OSError: No space left on device"),
        ("cached: true, rest: None, answer: yes", "cached: <*>, rest: <*>, answer: yes"),
        ("node-[30-31 40] and node[1,2] but sshd[17]", "<*> and <*> but sshd[<*>]"),
        ("org.example.Client@1b6d3586 closed", "org.example.Client@<*> closed"),
        ("see src/app.py, and/or application/json", "see <*>, and/or application/json"),
        ("proxy.example.org refused", "<*> refused"),
        (
            "org.example.proxy refused by org.example.Proxy in app.llm.proxy",
            "<*> refused by org.example.Proxy in app.llm.proxy",
        ),
        ("parity error........0", "parity error........<*>"),
        ("lifetime <1 sec, was <1>", "lifetime <*>, was <<*>>"),
        ("Thu, 01 Jan 2026 00:00:00 GMT: gone", "<*>: gone"),
        ("a == 1 and b => 2", "a == <*> and b => <*>"),
        ("(unit=0x0b bit=0x1d): torus", "(unit=<*> bit=<*>): torus"),
        ('level=error msg="no room" user=', 'level=<*> msg="no room" user=<*>'),
        ("your organization\\'s limit, sk-***abc, **** next ****", "your organization\\'s limit, <*>, **** next ****"),
        ("IPv6 or IPv4 with MD5 of eth0", "IPv6 or IPv4 with MD5 of <*>"),
        ("连接超时30秒 端口8080", "连接超时<*>秒 端口<*>"),
        ("bad image: iVBORw0KGgoAAAANSUhEUgAAAAU= of key=", "bad image: <*> of key=<*>"),
        ("no match\n  at least 3 are needed", "no match at least <*> are needed"),
        ("can't read 'a b'", "can't read 'a b'"),
    ],
)
def test_a_template_reads_as_expected(error: str, template: str) -> None:
    assert template_of(error) == template


def test_a_trace_is_what_was_raised_and_where() -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/app/worker.py", line 12, in run\n    answer = call(prompt)\n             ^^^^^^^^^^^^\n'
        '  File "/app/client.py", line 40, in call\n    return answer["choices"]\n'
        "KeyError: 'choices'\n\nDuring handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "/app/main.py", line 3, in main\n    run()\n'
        "RuntimeError: run 17 failed"
    )
    assert template_of(trace) == (
        "KeyError: 'choices' at call During handling of the above exception, another exception occurred: "
        "RuntimeError: run <*> failed at main"
    )


@pytest.mark.parametrize("error", [None, "", " ", "\n\t "])
def test_no_text_is_an_empty_error(error: str | None) -> None:
    assert template_of(error) == ""
    assert compute_signature_v2(error) == "empty_error"


@pytest.mark.parametrize(
    "error,signature",
    [
        ("Timeout after 30 seconds", "ac343299875da073"),
        (
            "Run 550e8400-e29b-41d4-a716-446655440000 failed at 2025-12-27T10:11:12Z with code 500",
            "19919d8b975bd5c1",
        ),
        ("Request failed with status code 503", "4bf771657b45d283"),
        ("ConnectionError: unable to connect to API endpoint", "6df29be455a1276a"),
        ('level=error msg="no room" user=ann', "ce9ba64b8d6e1217"),
    ],
)
def test_a_signature_that_was_stored_goes_on_to_match(error: str, signature: str) -> None:
    """When one of these changes, the rules have: that is another version, with another name."""
    assert compute_signature_v2(error) == signature
