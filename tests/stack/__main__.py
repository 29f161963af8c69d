"""Command line of the stack: python -m tests.stack up | down | status | env | run -- COMMAND…"""

import os
import sys
import time

from tests.stack import Stack, shared
from tests.stack.supervise import Interrupted, interruptions, run

_PARTIAL = os.environ.get("PARTIAL") == "1"


def main(arguments: list[str]) -> int:
    """Do what the first argument says; return the exit code."""
    match arguments:
        case ["up"]:
            return _up()
        case ["down"]:
            print("stack: stopped, data removed" if shared.down() else "stack: was not running")
            return 0
        case ["status"]:
            return _status()
        case ["env"]:
            for name, value in shared.environment(shared.load()).items():
                print(f"{name}={value}")
            return 0
        case ["run", "--", *command] if command:
            return _run(command)
        case _:
            print(__doc__)
            return 2


def _up() -> int:
    began = time.monotonic()
    try:
        with interruptions():
            _, missing = shared.up(_say, watched=False)
    except Interrupted:
        shared.down()
        return 130
    _status()
    _say(f"ready in {time.monotonic() - began:.1f} s; `make down` stops it and removes its data")
    return _judge(missing)


def _run(command: list[str]) -> int:
    was_running = bool(shared.environment(shared.load()))
    stack: Stack | None = None
    try:
        with interruptions():
            try:
                stack, missing = shared.up(_say, watched=True)
                return _judge(missing) or run(command, shared.environment(stack))
            finally:
                if not was_running:
                    _say("stopping")
                    shared.down(stack)
    except Interrupted as interruption:
        return 128 + interruption.number


def _judge(missing: dict[str, str]) -> int:
    """Say what is missing and which tests that touches; return the exit code it deserves."""
    for marker, problem in missing.items():
        _say(f"MISSING: {problem}")
        _say(f"the tests marked {marker} cannot run without it")
    if missing and not _PARTIAL:
        _say("nothing was run; PARTIAL=1 runs what can run")
        return 1
    return 0


def _status() -> int:
    found = shared.environment(shared.load())
    for name, value in found.items():
        _say(f"{name}={value}")
    if not found:
        _say("not running")
    return 0 if found else 3


def _say(line: str) -> None:
    print(f"stack: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
