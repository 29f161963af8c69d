"""Pairs of error texts as services of language models, their clients and workers write them."""

from __future__ import annotations

from typing import Final

_OPENAI: Final = (
    "Error code: {status} - {{'error': {{'message': 'Rate limit reached for {model} in organization {org} on tokens "
    "per min (TPM): Limit {limit}, Used {used}, Requested {asked}. Please try again in {wait}.', 'type': '{kind}', "
    "'param': None, 'code': '{code}'}}}}"
)
_PYTHON: Final = """Traceback (most recent call last):
  File "{path}/worker.py", line {line}, in run
    answer = call(prompt)
             ^^^^^^^^^^^^
  File "{path}/client.py", line {inner}, in {name}
    return answer["{key}"]
{error}"""
_JAVA: Final = """{error}
\tat com.example.Client.{name}(Client.java:{line})
\tat com.example.Worker.run(Worker.java:{outer})
Caused by: java.net.SocketTimeoutException: Read timed out
\tat java.net.SocketInputStream.read(SocketInputStream.java:{line})
\t... {more} more"""
_NODE: Final = """TypeError: Cannot read properties of undefined (reading '{key}')
    at parse (/srv/{release}/dist/parse.js:{line}:17)
    at async Worker.run (/srv/{release}/dist/worker.js:{outer}:5)"""


def _limit(**given: str) -> str:
    plain = {
        "status": "429",
        "model": "gpt-4o",
        "org": "org-x1Yz2AbC",
        "limit": "30000",
        "used": "29411",
        "asked": "1200",
        "wait": "1.222s",
        "kind": "tokens",
        "code": "rate_limit_exceeded",
    }
    return _OPENAI.format(**(plain | given))


def _python(**given: str) -> str:
    plain = {
        "path": "/app",
        "line": "12",
        "inner": "40",
        "name": "call",
        "key": "choices",
        "error": "KeyError: 'choices'",
    }
    return _PYTHON.format(**(plain | given))


def _java(**given: str) -> str:
    plain = {
        "error": "com.example.ModelException: call failed after 3 tries",
        "name": "ask",
        "line": "88",
        "outer": "14",
        "more": "7",
    }
    return _JAVA.format(**(plain | given))


def _node(**given: str) -> str:
    return _NODE.format(**({"key": "content", "release": "r-20250102", "line": "4", "outer": "90"} | given))


SAME: Final = {
    "case and numbers": ("Timeout after 30 seconds", "TIMEOUT AFTER 7 SECONDS  "),
    "ISO times": ("failed at 2025-12-27T10:11:12Z", "failed at 2025-12-27T11:59:59Z"),
    "digits that touch letters": ("latency 250ms run_42", "latency 251ms run_43"),
    "uuid, time, number": (
        "Run 550e8400-e29b-41d4-a716-446655440000 failed at 2025-12-27 10:11:12 in step 4",
        "Run 9b2d6f00-0000-4111-8222-abcdefabcdef failed at 2026-01-03 23:00:00.123456 in step 17",
    ),
    "forms of dates": ("no answer since 27/Dec/2025:10:11:12 +0000", "no answer since Sat, 03 Jan 2026 09:08:07 GMT"),
    "units": ("gave up after 1.5 s", "gave up after 900 ms"),
    "sizes": ("body of 300 bytes refused", "body of 1.2 MB refused"),
    "a remark behind a number": ("sent 0 bytes, closing", "sent 1018 bytes (1.01 KB), closing"),
    "rate limit, other request": (_limit(), _limit(used="30000", asked="77", wait="12ms", org="org-9Qw8er")),
    "rate limit, other model": (_limit(), _limit(model="o4-mini")),
    "request ids": (
        "overloaded_error: Overloaded (request id: req_011CSHoEeqs5C35K2UUqR7Fy)",
        "overloaded_error: Overloaded (request id: req_018EeWyXxfu5pfWkrYcMdjWG)",
    ),
    "quota": (
        "Quota exceeded for metric 'requests_per_minute', limit: 60, project: 841276359012. Retry in 24s.",
        "Quota exceeded for metric 'requests_per_minute', limit: 15, project: 55120096. Retry in 3.75s.",
    ),
    "context length": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 131072 tokens.",
    ),
    "time-out of an address": (
        "HTTPSConnectionPool(host='api.openai.com', port=443): Read timed out. (read timeout=600)",
        "HTTPSConnectionPool(host='eu.api.openai.com', port=443): Read timed out. (read timeout=30.0)",
    ),
    "connection refused": (
        "connect ECONNREFUSED 10.0.3.7:8080",
        "connect ECONNREFUSED 2001:db8::ff00:42:8329",
    ),
    "host and port": ("cannot reach llm.eu-west.example.com:443", "cannot reach 10.2.0.9:8443"),
    "position in JSON": (
        "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 1 column 45 (char 44)",
        "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 12 column 3 (char 1290)",
    ),
    "URL": (
        "POST https://api.example.com/v1/messages?beta=true failed: timeout",
        "POST https://eu.example.com/v2/chat failed: timeout",
    ),
    "path": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/run-a/out'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/var/data/in.csv'",
    ),
    "file": ("cannot open 'report.csv'", "cannot open 'answers.jsonl'"),
    "Windows path": (r"Access denied: C:\Users\ann\x.tmp", r"Access denied: D:\work\y.tmp"),
    "email": ("no access for ann@example.com", "no access for bob.b@mail.example.org"),
    "values after =": (
        "rejected: model=claude, tag='too long', retry=true",
        "rejected: model=gpt, tag='x', retry=",
    ),
    "an unquoted and a quoted value": ("rejected: model=claude, retry=true", 'rejected: model="gpt 4", retry=false'),
    "an object as a value": ("no room, ws=Source{12 a}, uid=3", "no room, ws=null, uid=4"),
    "memory address": ("<Client object at 0x7f3a5c0d> is closed", "<Client object at 0x10ab34ef20> is closed"),
    "object hash": ("com.example.Client@1b6d3586 is closed", "com.example.Client@4554617c is closed"),
    "hash": (
        "blob e3b0c44298fc1c149afbf4c8996fb924 is missing",
        "blob da39a3ee5e6b4b0d3255bfef95601890 is missing",
    ),
    "base64": ("bad token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx", "bad token dGhpcyBpcyBhIHRva2Vu4oCm+x/9"),
    "lists": ("missing ids [1, 2, 3]", "missing ids [77]"),
    "empty list": ("missing ids []", "missing ids [77]"),
    "user": ("no rights for user ann", "no rights for user bob"),
    "MAC": ("lease lost by 00:11:43:e3:ba:c3", "lease lost by 00:1b:44:11:3a:b7"),
    "versions": ("driver 1.2.3 is too old", "driver 2.0.1-rc1 is too old"),
    "money": ("budget of $12.50 is used up (103%)", "budget of $7 is used up (100.2%)"),
    "Python trace, other release": (_python(), _python(path="/opt/venv/lib", line="19", inner="55")),
    "Java trace, other lines": (_java(), _java(line="91", outer="15", more="12")),
    "Java trace, other count": (_java(), _java(error="com.example.ModelException: call failed after 5 tries")),
    "JavaScript trace, other release": (_node(), _node(release="r-20250309", line="5", outer="91")),
    "answers": ("refused: cached: true, left: null", "refused: cached: false, left: None"),
    "request log": ("GET /v1/runs status: 404 len: 17 time: 0.2", "GET /v1/keys?all=1 status: 200 len: 1702 time: 1.2"),
    "several of a kind": ("node-[32-63] is down", "node-7 is down"),
    "redacted keys": ("Incorrect API key provided: sk-proj-****abcd.", "Incorrect API key provided: sk-proj-****Wxyz."),
    "a quoted model": ("The model `gpt-5-mini` does not exist", "The model `o3` does not exist"),
    "lines of a log": (
        'level=error ts=2026-01-03T10:00:00Z caller=llm.go:12 msg="rate limited" tenant=acme',
        'level=error ts=2026-01-04T11:22:33Z caller=llm.go:19 msg="rate limited" tenant=zeta',
    ),
    "out of memory": (
        "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 15.78 GiB total capacity; 9.75 MiB free)",
        "CUDA out of memory. Tried to allocate 1.50 GiB (GPU 3; 79.2 GiB total capacity; 512.00 KiB free)",
    ),
    "a thread's panic": ("panicked at src/main.rs:42:10: no answer", "panicked at src/main.rs:57:5: no answer"),
    "white space": ("no   answer\n", "no answer"),
}
"""What one error reads like twice."""

DIFFERENT: Final = {
    "error class": ("ConnectionError: failed", "TimeoutError: failed"),
    "error class with digits": ("Http2Error: failed", "Http3Error: failed"),
    "status": ("Request failed with status code 429", "Request failed with status code 500"),
    "status of HTTP": ("HTTP 503 from upstream", "HTTP 401 from upstream"),
    "status in the client's form": (_limit(), _limit(status="400")),
    "rate limit and quota": (_limit(), _limit(code="insufficient_quota")),
    "tokens and requests": (_limit(), _limit(kind="requests")),
    "time-out to read or to connect": (
        "HTTPSConnectionPool(host='a.example.com', port=443): Read timed out.",
        "HTTPSConnectionPool(host='a.example.com', port=443): Connect timed out.",
    ),
    "overloaded and internal": ("overloaded_error: Overloaded", "api_error: Internal server error"),
    "what JSON lacks": (
        "JSONDecodeError: Expecting ',' delimiter: line 1 column 45 (char 44)",
        "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    ),
    "what a call of a service answers": (
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        "rpc error: code = Unavailable desc = connection error",
    ),
    "message of a log line": ('level=error msg="rate limited" id=3', 'level=error msg="no such model" id=4'),
    "kind of a validation error": (
        "1 validation error for Plan: steps [type=missing, input_type=dict]",
        "1 validation error for Plan: steps [type=list_type, input_type=str]",
    ),
    "hashes by name": ("MD5 of the file differs", "SHA256 of the file differs"),
    "key": ("KeyError: 'choices'", "KeyError: 'usage'"),
    "system errors": ("OSError: [Errno 28] No space left on device", "OSError: [Errno 24] Too many open files"),
    "reset and refused": ("connect ECONNREFUSED 10.0.3.7:8080", "connect ECONNRESET 10.0.3.7:8080"),
    "function": ("parse_plan() failed", "parse_tool() failed"),
    "package": ("org.example.a.Client is closed", "org.example.b.Client is closed"),
    "method": ("GET /v1/models failed", "POST /v1/models failed"),
    "parameter": ("Unsupported parameter: 'temperature'", "Unsupported parameter: 'max_tokens'"),
    "sentence": ("user not found", "user is locked"),
    "compared and assigned": ("a == b is refused", "a != b is refused"),
    "more words": ("context length exceeded", "context length exceeded, nothing to drop"),
    "raised in another function": (_python(), _python(name="stream")),
    "another error in one function": (_python(), _python(error="KeyError: 'usage'")),
    "another class in Java": (_java(), _java(error="com.example.QuotaException: call failed after 3 tries")),
    "another method in Java": (_java(), _java(name="stream")),
    "another property in JavaScript": (_node(), _node(key="tool_calls")),
}
"""What are two errors, however alike they read."""
