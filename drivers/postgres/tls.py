"""Why a connection with TLS did not come about, where asyncpg's words look like an outage or like nothing at all.

Certificates are found as libpq finds them: in the URL, in ``PGSSL…``, else in ``~/.postgresql``. A file there that
cannot be used keeps us out of a database that is up, and its error names no file.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

_NO_TLS: Final = "rejected SSL upgrade"  # asyncpg's words, of a server without TLS
_WITHOUT: Final = ("disable",)
_VERIFIED: Final = ("verify-ca", "verify-full")


class ShutOut(OSError):
    """The database may be up: it is TLS that keeps us out, and an operator who must act."""


class _File(NamedTuple):
    option: str
    path: Path
    chosen: bool  # named by somebody, not merely found


def shut_out(dsn: str, error: BaseException) -> ShutOut | None:
    """Return what *error*, met while connecting to *dsn*, means if TLS is to blame, else None."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ShutOut(f"the server's certificate is not trusted: {error.verify_message}; see sslrootcert in the URL")
    if isinstance(error, ConnectionError) and _NO_TLS in str(error):
        return ShutOut("the server has no TLS, and sslmode in the URL asks for it")
    if isinstance(error, FileNotFoundError | PermissionError | ssl.SSLError):
        problem = _unusable(dsn)
        return None if problem is None else ShutOut(problem)
    return None


def _unusable(dsn: str) -> str | None:
    """Return which certificate file cannot be used and why, None when all can."""
    options = {name: values[-1] for name, values in parse_qs(urlsplit(dsn).query).items()}
    files = {one.option: one for one in _files(options)}
    passphrase = options.get("sslpassword", "")  # given, even if empty, it is not asked for on the terminal
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for one in files.values():
        try:
            one.path.read_bytes()
            if one.option in {"sslrootcert", "sslcrl"}:
                context.load_verify_locations(one.path)
            elif one.option == "sslcert":
                key = files.get("sslkey")
                context.load_cert_chain(one.path, None if key is None else key.path, passphrase)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            found = "" if one.chosen else " (it is used because it is there; sslmode=disable does without)"
            return f"{one.option}, {one.path}: {why}{found}"
    return None


def _files(options: Mapping[str, str]) -> Iterator[_File]:
    mode = options.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"
    if mode in _WITHOUT:
        return
    home = Path("~/.postgresql").expanduser()
    for option, name in (
        ("sslrootcert", "root.crt"),
        ("sslcrl", "root.crl"),
        ("sslkey", "postgresql.key"),
        ("sslcert", "postgresql.crt"),
    ):
        if option in {"sslrootcert", "sslcrl"} and mode not in {"require", *_VERIFIED}:
            continue
        chosen = options.get(option) or os.environ.get(f"PG{option.upper()}")
        path = Path(chosen) if chosen else home / name
        if chosen or _there(path):
            yield _File(option, path, bool(chosen))


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True
