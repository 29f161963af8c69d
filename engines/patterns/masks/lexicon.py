"""The words that rules look for: all of them, so that one can see that none is of one system alone."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


UNITS: Final = _words(
    "% am b bit bits bps byte bytes d day days gb gbps ghz gib gmt h hour hours hr hrs hz kb kbps khz kib m mb mbps "
    "mhz mib microsecond microseconds millis millisecond milliseconds min mins minute minutes ms msec msecs "
    "nanoseconds ns percent pm s sec second seconds secs tb tib us utc week weeks µs"
)
"""What follows a number as part of it; in lower case."""

DATES: Final = _words(
    "Jan Feb Mar Apr May Jun Jul Aug Sep Sept Oct Nov Dec January February March April June July August September "
    "October November December Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
)
"""What stands beside a number as part of a date; capitals matter ("may", "sun")."""

ANSWERS: Final = _words("true false null none nil undefined nan")
"""Values that are words, as programs print them; in lower case. "Yes", "no" and "off" are prose as well."""

PLACES: Final = _words("com org net edu gov mil int io info biz dev app cloud ai local internal lan arpa")
"""Where names of hosts end and, turned round, names of packages begin."""

PACKAGES: Final = PLACES | _words("java javax jdk sun kotlin scala")
"""Where names of packages begin."""

VENDORS: Final = _words("com org net edu gov mil")
"""Where names of applications begin, which varies; with a class at their end (capitals) they are code, and stay."""

DATA_SUFFIXES: Final = _words(
    "bak bin cfg conf csv dat db doc docx gif gz html ini jpeg jpg json jsonl lock log md mp3 mp4 parquet pdf pickle "
    "pkl png pptx properties sqlite svg tar tmp toml tsv txt wav webp xls xlsx xml yaml yml zip"
)
"""Files that hold data: which one it was varies. Names of sources identify, and stay."""

TERMS: Final = _words(
    "base64 ec2 http2 http3 ipv4 ipv6 k8s log4j md5 mp3 mp4 oauth2 s3 sha1 sha-1 sha256 sha-256 sha512 sha-512 utf-16 "
    "utf16 utf-8 utf8 x509 x86_64"
)
"""Words that are written with digits; in lower case."""

STATUS_NAMES: Final = _words("status_code statuscode error_code errorcode http_status")
"""One word for the status of a failure; in lower case."""

TELLING_KEYS: Final = _words(
    "cause code desc description detail err errcode errmsg error error_code error_message error_type exception kind "
    "message msg reason type"
)
"""Keys whose values say what happened; in lower case."""

BEFORE_USER: Final = _words("for by from of as to invalid unknown illegal the")
"""What makes "user" introduce a name; in lower case."""

NO_NAMES: Final = _words(
    "a account agent already and are as at by can cannot can't could data did does doesn't error exceeded failed for "
    "from had has hit id in info input interface is isn't limit message may must name not of on or order password "
    "profile quota rate reached request requested session space that the to was were which who will with"
)
"""What follows "user" without being a name: closed classes of words, and what compounds are made of."""
