"""What an embedded node leaves on disk for other commands to find it: its directory, passwords and ports."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.users import ROLES


@dataclass(frozen=True, slots=True)
class State:
    """A running node: process id and loopback ports."""

    pid: int
    http_port: int
    tcp_port: int


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files below `root`; the node's process may touch only those in `node` (storage.confine)."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> NodeFiles:
        """Return the files of the node whose flows are kept in `data_dir`."""
        return cls(data_dir.resolve() / "clickhouse")

    @property
    def node(self) -> Path:
        """Working directory of the node: configuration, data and log."""
        return self.root / "node"

    @property
    def lock(self) -> Path:
        """File that whoever runs a node holds an flock on, and the node itself too."""
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """What the node printed; see `storage.embedded` for its size limit."""
        return self.node / "node.log"

    @property
    def engine(self) -> Path:
        """File with the version of the ClickHouse that last wrote here."""
        return self.root / "engine"

    def passwords(self) -> dict[str, str]:
        """Return each role's password; made once, readable by the owner only."""
        path = self.root / "passwords.json"
        if not path.exists():
            made = {role: secrets.token_urlsafe(32) for role in ROLES}
            _write(path, json.dumps(made, indent=1))
        passwords: dict[str, str] = json.loads(path.read_text())
        return passwords

    def state(self) -> State | None:
        """Return the node last started here and not stopped, or None."""
        try:
            return State(**json.loads(self._state.read_text()))
        except FileNotFoundError:
            return None

    def set_state(self, state: State | None) -> None:
        """Tell others how to reach the node, or that there is none."""
        if state:
            _write(self._state, json.dumps(asdict(state)))
        else:
            self._state.unlink(missing_ok=True)

    @property
    def _state(self) -> Path:
        return self.root / "state.json"


def _write(path: Path, text: str) -> None:
    """Replace the file at once, mode 0600, so that no reader sees half of it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
