"""The steps of the Dockerfile, run in a plain folder: what they install works without anything else of the project."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "PYTHON"))}


def steps(dockerfile: Path) -> list[tuple[str, str]]:
    """Return the instructions of *dockerfile*, each with its arguments."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE)


def needed(name: str, extras: Iterable[str], found: set[tuple[str, str]]) -> None:
    """Add to *found* what *name*, with *extras*, needs of what is installed here: (distribution, extra)."""
    for extra in ("", *extras):
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for text in distribution(name).requires or []:
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                needed(canonicalize_name(one.name), one.extras, found)


def provide(site: Path) -> None:
    """Put into *site* what the image would fetch, so that pip need not, and nothing else."""
    found: set[tuple[str, str]] = set()
    needed("outlay", [], found)
    for name in {name for name, _ in found} - {"outlay"}:
        one = distribution(name)
        for file in one.files or []:
            source, target = Path(str(one.locate_file(file))), site / file
            if ".." not in file.parts and source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    target.hardlink_to(source)
                except OSError:  # on another file system
                    shutil.copy2(source, target)


def follow(root: Path) -> dict[str, str]:
    """Do in *root* what the Dockerfile does in an image; return the environment that a container would have.

    Users and images cannot be had here.
    """
    here, environment = root, dict(ENVIRONMENT)
    for instruction, arguments in steps(Path("Dockerfile")):
        if instruction == "WORKDIR":
            here = root / arguments.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY" and not arguments.startswith("--from"):
            *sources, target = arguments.split()
            for source in map(Path, sources):
                if source.is_dir():
                    shutil.copytree(source, here / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, here / target)
        elif instruction == "RUN" and not arguments.startswith("useradd"):
            inside = arguments.replace("/opt/", f"{root}/opt/").replace(" --no-cache-dir", "")
            command = re.sub(r"^python ", f"{sys.executable} ", inside)
            if "pip install" in command:
                provide(next(root.glob("opt/outlay/lib/python*/site-packages")))
            subprocess.run(
                ["sh", "-c", command], cwd=here, env=ENVIRONMENT, check=True, capture_output=True, timeout=600
            )
        elif instruction == "ENV":
            for pair in arguments.split():
                name, _, value = pair.partition("=")
                environment[name] = value.replace("/opt/", f"{root}/opt/").replace("$PATH", ENVIRONMENT["PATH"])
    return environment


def test_what_the_image_holds_runs_by_itself(tmp_path: Path) -> None:
    environment = follow(tmp_path) | {"HOME": str(tmp_path)}
    assert shutil.which("outlay", path=environment["PATH"]) == f"{tmp_path}/opt/outlay/bin/outlay"
    shutil.rmtree(tmp_path / "src")  # the second stage has it no more
    empty = tmp_path / "tmp"

    def ran(*command: str) -> tuple[int, str]:
        found = subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return found.returncode, found.stdout + found.stderr

    assert ran("outlay", "--help")[0] == 0
    compose = yaml.safe_load(Path("docker-compose.yml").read_text())
    for name, service in compose["services"].items():
        if service.get("image") != "outlay:local":
            continue
        program, *arguments = service["command"]
        paths = [re.sub(r"^/examples", str(Path("examples").absolute()), word) for word in arguments]
        code, said = ran(program, *paths, "--help")
        assert code == 0, f"{name}: {said}"
    code, said = ran(*compose["services"]["worker"]["command"])
    assert code == 2
    assert "OUTLAY_DATABASE_URL: is not set" in said
    calls = str(Path("examples/calls.jsonl").absolute())
    code, said = ran("outlay", "replay", "--in-memory", calls, "--json")  # the prices, rules and schemas are in it
    assert (code, '"accepted":80' in said) == (0, True), said
    code, said = ran(*compose["services"]["worker"]["healthcheck"]["test"][1:])
    assert (code, "Connection refused" in said) == (1, True), said
