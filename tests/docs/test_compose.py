"""``docker-compose.yml`` and the Dockerfile fit the settings and the sources; no engine is needed to know that."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers.settings import PREFIX, Settings
from drivers.web import Page, served
from tests.docs.test_documents import problem_of
from tests.drivers.test_web import COLLECTOR


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text())
    return loaded


def test_every_setting_in_it_exists(compose: dict[str, Any]) -> None:
    named = set(
        re.findall(rf"\b{PREFIX}[A-Z_]+\b", Path("docker-compose.yml").read_text() + Path("Dockerfile").read_text())
    )
    assert f"{PREFIX}DATABASE_URL" in compose["services"]["worker"]["environment"]
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("service", ["migrate", "topics", "worker", "producer", "bridge"])
def test_the_settings_of_our_services_are_accepted(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in compose["services"][service]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(value)))
    settings = Settings()
    assert settings.databases == ("postgresql://outlay:outlay@postgres:5432/outlay",)
    assert settings.kafka_bootstrap_servers == "kafka:9092"


def test_hosts_in_urls_are_services_and_ports_are_their_own(compose: dict[str, Any]) -> None:
    kafka = compose["services"]["kafka"]["environment"]
    listeners = dict(re.findall(r"(\w+)://([^,]*)", kafka["KAFKA_ADVERTISED_LISTENERS"]))
    assert listeners == {"PLAINTEXT": "kafka:9092", "HOST": "localhost:29092"}
    assert re.findall(r"(\w+)://:(\d+)", kafka["KAFKA_LISTENERS"]) == [
        ("PLAINTEXT", "9092"),
        ("CONTROLLER", "9093"),
        ("HOST", "29092"),
    ]


def test_whoever_is_waited_for_is_a_service_that_can_be_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    waits = [(on, how["condition"]) for one in services.values() for on, how in one.get("depends_on", {}).items()]
    assert waits
    for on, condition in waits:
        assert (condition == "service_healthy") == ("healthcheck" in services[on])
        assert (condition == "service_completed_successfully") == (on in {"migrate", "topics"})
    mounted = [volume.split(":")[0] for one in services.values() for volume in one.get("volumes", [])]
    assert set(compose["volumes"]) == {name for name in mounted if not name.startswith(".")}
    assert [name for name in mounted if name.startswith(".") and not Path(name).is_dir()] == []


def test_our_services_run_commands_that_exist_on_files_that_are_mounted(compose: dict[str, Any]) -> None:
    ours = {name: one for name, one in compose["services"].items() if one.get("image") == "outlay:local"}
    assert set(ours) == {"migrate", "topics", "worker", "producer", "bridge"}
    for name, one in ours.items():
        program, *arguments = one["command"]
        assert program in {"outlay", "python"}, name
        if program == "outlay":
            assert problem_of(arguments) is None, name
        files = [word for word in arguments if word.startswith("/examples")]
        assert [file for file in files if not Path(file.removeprefix("/")).exists()] == []
        assert bool(files) == ("./examples:/examples:ro" in one.get("volumes", []))


def test_what_only_the_demonstration_needs_starts_with_its_profile_alone(compose: dict[str, Any]) -> None:
    profiles = {name: one["profiles"] for name, one in compose["services"].items() if "profiles" in one}
    assert profiles == {"producer": ["demo"], "bridge": ["demo"]}


@pytest.mark.parametrize("well, code", [(True, 0), (False, 1)])
def test_the_healthcheck_asks_the_worker_whether_it_is_ready(compose: dict[str, Any], well: bool, code: int) -> None:
    worker = compose["services"]["worker"]
    how, program, *arguments = worker["healthcheck"]["test"]
    assert (how, program) == ("CMD", "python")
    asked = f":{worker['environment']['OUTLAY_METRICS_PORT']}/readyz"
    assert asked in arguments[-1]
    with served(COLLECTOR, "127.0.0.1", 0, {"/readyz": lambda: Page(well, {})}) as port:
        command = [sys.executable, *(word.replace(asked, f":{port}/readyz") for word in arguments)]
        assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == code


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    ports = [port for one in compose["services"].values() for port in one.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    text = Path("Dockerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    let_in = re.findall(r"^!(.+)$", Path(".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(let_in)
    assert [name for name in copied if not Path(name).exists()] == []
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["outlay"]
