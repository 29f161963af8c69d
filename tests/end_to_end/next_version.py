"""A next version of this program, made of a copy of this one: another layout of pages, a column under a new name.

It is what a release would do: revision EXPANDS adds the column beside the old one, revision CONTRACTS takes the old one
away; pages are read in both layouts, and written in the new one where no old worker has to read them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from drivers.postgres import schema_version, statements
from engines.cost import packing

NOW = schema_version.NEWEST
EXPANDS, CONTRACTS = NOW + 1, NOW + 2
LAYOUT = packing.VERSION + 1
_ROOT = Path(__file__).parents[2]
_PACKAGES = ("streams", "engines", "drivers")

_PACKING = f"""

# Members of a part stand in the order from last to first.
VERSION = {LAYOUT}
WRITTEN_SINCE = (*WRITTEN_SINCE, ({CONTRACTS}, VERSION))
_write_before, _read_before = WRITERS[VERSION - 1], READERS[VERSION - 1]


def _turned(sealed: bytes, version: int) -> bytes:
    first, *others = msgspec.msgpack.decode(sealed, strict=False)
    return msgspec.msgpack.encode([version, *others[::-1]])


WRITERS[VERSION - 1] = lambda part: _write_before(msgspec.structs.replace(part, version=VERSION - 1))
WRITERS[VERSION] = lambda part: _turned(_write_before(part), VERSION)
READERS[VERSION] = lambda kind, sealed: _read_before(kind, _turned(sealed, VERSION - 1))
"""
_SCHEMA_VERSION = f"""
OLDEST = {EXPANDS}
NEWEST = {CONTRACTS}
"""
_REVISION = '''"""{what}."""

from alembic import op
import sqlalchemy as sa
from drivers.postgres.migrations import steps

revision = "{revision:04d}"
down_revision = "{before:04d}"
contract = {contract}


def upgrade() -> None:
{body}
'''
# Whichever of the two names a worker sets, the other follows; what is set through neither stays.
_BOTH_NAMES = r"""
CREATE FUNCTION left_well_is_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.left_well := coalesce(NEW.left_well, NEW.released);
        NEW.released := coalesce(NEW.released, NEW.left_well);
    ELSIF NEW.left_well IS DISTINCT FROM OLD.left_well THEN NEW.released := NEW.left_well;
    ELSE NEW.left_well := NEW.released;
    END IF;
    RETURN NEW;
END $$
"""
_EXPAND = [
    "ALTER TABLE positions ADD COLUMN left_well boolean",
    _BOTH_NAMES,
    "CREATE TRIGGER follow BEFORE INSERT OR UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION left_well_is_released()",
    "UPDATE positions SET left_well = released",
]
_CONTRACT = [
    "DROP TRIGGER follow ON positions",
    "DROP FUNCTION left_well_is_released()",
    "DROP VIEW progress",
    "ALTER TABLE positions ALTER COLUMN left_well SET NOT NULL, DROP COLUMN released",
]
_RENAMED = {
    "version, released, attempt_offset": "version, left_well AS released, attempt_offset",
    "version, released, counts": "version, left_well, counts",
    "released = false": "left_well = false",
    "released = $18": "left_well = $18",
}


def make(folder: Path) -> dict[str, str]:
    """Put the next version into *folder*; return the environment in which `python -c` runs it instead of this one."""
    for package in _PACKAGES:
        shutil.copytree(_ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    postgres = folder / "drivers" / "postgres"
    _append(folder / "engines" / "cost" / "packing.py", _PACKING)
    _append(postgres / "schema_version.py", _SCHEMA_VERSION)
    _rename(postgres / Path(statements.__file__).name)
    versions = postgres / "migrations" / "versions"
    _revision(versions, EXPANDS, "A column gets a better name", _EXPAND)
    _revision(versions, CONTRACTS, "Its old name goes", _CONTRACT, contract=True)
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _rename(path: Path) -> None:
    text = path.read_text()
    for before, after in _RENAMED.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text)


def _revision(versions: Path, number: int, what: str, statements: list[str], *, contract: bool = False) -> None:
    steps = [f"    steps.retire({number})"] if contract else []
    steps += [f"    op.execute(sa.text({statement.replace(':', chr(92) + ':')!r}))" for statement in statements]
    text = _REVISION.format(revision=number, before=number - 1, what=what, contract=contract, body="\n".join(steps))
    (versions / f"v{number:04d}_next.py").write_text(text)
