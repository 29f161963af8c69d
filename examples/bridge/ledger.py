"""What the bridge has done, in a file: the newest revision of each fact, incidents, and what was told of them.

One transaction takes a fact and all that follows from it. So the bridge may end at any moment and read any fact again.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from incidents import Change, Fact, Incident, Rule, decide, incident_id

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (
    anomaly_id TEXT PRIMARY KEY, revision INTEGER NOT NULL, episode_id TEXT NOT NULL, fact TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS facts_of_an_episode ON facts (episode_id);
CREATE TABLE IF NOT EXISTS incidents (
    incident_id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, status TEXT NOT NULL, incident TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS changes (
    seq INTEGER PRIMARY KEY, change TEXT NOT NULL, incident TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0);
"""


class Ledger:
    """The file; to start over, remove it.

    Args:
        rules: the policy rules in force from now on.
    """

    def __init__(self, path: Path | str, rules: Sequence[Rule] = ()) -> None:
        self._rules = rules
        self._file = sqlite3.connect(path)
        self._file.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def take(self, fact: Fact) -> None:
        """Keep *fact* when it is newer than what is known of its anomaly, with what follows from it."""
        with self._file:  # one transaction
            known = self._file.execute(
                "SELECT revision, episode_id FROM facts WHERE anomaly_id = ?", (fact.anomaly_id,)
            ).fetchone()
            if known is not None and fact.revision <= known[0]:
                return
            self._file.execute(
                "REPLACE INTO facts VALUES (?, ?, ?, ?)",
                (fact.anomaly_id, fact.revision, fact.episode_id, json.dumps(asdict(fact))),
            )
            for episode_id in {fact.episode_id, known[1] if known else fact.episode_id}:
                self._judge(episode_id)

    def incidents(self) -> list[Incident]:
        """Return all incidents, resolved ones too."""
        rows = self._file.execute("SELECT incident FROM incidents ORDER BY incident_id")
        return [Incident(**json.loads(row[0])) for row in rows]

    def untold(self) -> Iterator[tuple[Change, Incident]]:
        """Yield each change that nobody was told of, in order; it counts as told when the next one is asked for."""
        with closing(
            self._file.execute("SELECT seq, change, incident FROM changes WHERE told = 0 ORDER BY seq")
        ) as rows:
            found = rows.fetchall()
        for seq, change, incident in found:
            yield change, Incident(**json.loads(incident))
            with self._file:
                self._file.execute("UPDATE changes SET told = 1 WHERE seq = ?", (seq,))

    def _judge(self, episode_id: str) -> None:
        lines = self._file.execute("SELECT fact FROM facts WHERE episode_id = ?", (episode_id,))
        facts = [Fact(**json.loads(line[0])) for line in lines]
        row = self._file.execute(
            "SELECT incident FROM incidents WHERE incident_id = ?", (incident_id(episode_id),)
        ).fetchone()
        decided = decide(Incident(**json.loads(row[0])) if row else None, facts, self._rules)
        if decided is None:
            return
        change, incident = decided
        line = json.dumps(asdict(incident))
        self._file.execute(
            "REPLACE INTO incidents VALUES (?, ?, ?, ?)",
            (incident.incident_id, incident.tenant_id, incident.status, line),
        )
        self._file.execute("INSERT INTO changes (change, incident) VALUES (?, ?)", (change, line))
