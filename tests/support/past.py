"""What has happened before a test begins: done once a process, of which each test has a copy of its own.

With `@pytest.mark.simulators(after=paid)` this is `paid(adapter)`: on an empty ledger, with simulators that have the
mark's other options.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from support.simulators import both, content, options

from ifms_standalone.postgres import Server

if TYPE_CHECKING:
    from support.adapter import Adapter

What: TypeAlias = "Callable[[Adapter], object]"
"""Lets something happen."""


@dataclass(frozen=True)
class Past:
    """A ledger, to be copied, and the simulators' files, after something has happened."""

    what: What
    ledger: str
    files: dict[str, bytes]

    def put_files(self, folder: Path) -> None:
        """Write the simulators' files into `folder`."""
        for name, written in self.files.items():
            (folder / name).write_bytes(written)


@dataclass
class Pasts:
    """Those that tests of this process have asked for."""

    server: Server
    template: str
    folders: pytest.TempPathFactory
    known: dict[tuple[What, str], Past] = field(default_factory=dict)

    def get(self, what: What, simulators: dict[str, Any]) -> Past:
        """What is there after `what`, with simulators of these options; made by who asks first."""
        key = (what, repr(simulators))
        if key not in self.known:
            self.known[key] = self._make(what, simulators)
        return self.known[key]

    def _make(self, what: What, simulators: dict[str, Any]) -> Past:
        from support.adapter import Adapter

        name = f"past_{len(self.known)}"
        folder = self.folders.mktemp(name)
        self.server.create_database(name, self.template)
        with both(folder, **simulators) as running:
            what(Adapter(self.server.dsn(name), running))
        gc.collect()  # sweeps that have ended in errors: a database with connections is not copied
        return Past(what, name, {file: content(folder / file) for file in ("treasury.db", "platform.db")})


@pytest.fixture(scope="session")
def pasts(postgres: Server, ledger_template: str, tmp_path_factory: pytest.TempPathFactory) -> Pasts:
    """All that tests of this process begin after."""
    return Pasts(postgres, ledger_template, tmp_path_factory)


@pytest.fixture
def past(request: pytest.FixtureRequest) -> Past | None:
    """What this test begins after; None: nothing has happened yet."""
    marker = request.node.get_closest_marker("simulators")
    if marker is None or "after" not in marker.kwargs:
        return None
    pasts: Pasts = request.getfixturevalue("pasts")
    return pasts.get(marker.kwargs["after"], options(request))


def once(what: What, past: Past | None, adapter: Adapter) -> Adapter:
    """The adapter after `what`, which happens now unless the test has begun after it."""
    if past is None or past.what is not what:
        what(adapter)
    return adapter
