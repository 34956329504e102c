"""Where each cell of the table is played: one payment that has come as far as the service in question.

The way there is walked once per test process. Before each service the ledger and both simulators' state files are
copied; a cell starts from those copies, so it costs one sweep.
"""

from __future__ import annotations

import json
import shutil
import socketserver
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests
from conformance.table import BULK, REFUSED, SERVICES, Cell
from support.adapter import Adapter, Treasury
from support.databases import database, settle
from support.failed import TENANT, fail, mend, revisions
from support.simulators import Simulators, both

from ifms.errors import IfmsError, SweepError
from ifms_standalone.postgres import Server

STAGES = SERVICES[1:]  # AUTH is played where PI is: before any PI
UNKNOWN_BILL = {"PI": ("PIS", "Bill not received in JIT-FS"), "COR": ("FTPS", "Correction Bill not received in JIT-FS")}
"""Who is asked about a submission of each kind, and what it says of one that it does not know."""
REJECTED = "This Bill Number {} is rejected by SSU Sample Office"
MOVES = "SELECT id, kind AS word FROM ifms.fund_movement ORDER BY id"
LOG = "SELECT id, status AS word FROM ifms.status_log WHERE to_status IS DISTINCT FROM 'COMPLETED' ORDER BY id"
"""But for the original that a correction completes: that is no call's."""
CALLS = "SELECT id, service_id || ' ' || outcome AS word FROM ifms.treasury_call"


@dataclass(frozen=True)
class Scenario:
    """What stood before a service was asked."""

    server: Server
    template: str
    folder: Path

    @contextmanager
    def play(self, folder: Path) -> Iterator[Play]:
        """A copy of it to play in."""
        with database(self.server, self.template) as dsn:
            settle(dsn)
            for file in self.folder.iterdir():
                shutil.copy(file, folder / file.name)
            with both(folder, {}, {"cities": 1}) as simulators:
                yield Play(Adapter(dsn, simulators), Treasury(simulators))


def walk(server: Server, ledger_template: str, folder: Path) -> dict[str, Scenario]:
    """The scenarios of all services, on the way of one payment from its bill to its second failure."""
    scenarios: dict[str, Scenario] = {}
    server.create_database("conformance_walk", ledger_template)
    walking = folder / "walk"
    walking.mkdir()
    with both(walking, {}, {"cities": 1, "bills_per_city": 0}) as simulators:
        adapter = Adapter(server.dsn("conformance_walk"), simulators)
        simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "amounts": ["1250.00"]})
        for service in STAGES:
            match service:
                case "PI":
                    adapter.run("PA")
                case "FD":
                    fail(adapter, "all")
                case "COR":
                    mend(adapter)
                case "FTFPS":
                    fail(adapter, "all", revisions(adapter)[0]["pi_number"])
            scenarios[service] = _kept(server, simulators, walking, folder / service, service)
            adapter.run(service)
    server.drop_database("conformance_walk")
    return scenarios | {"AUTH": scenarios["PI"]}


def _kept(server: Server, simulators: Simulators, walking: Path, folder: Path, service: str) -> Scenario:
    settled(simulators)
    template = f"conformance_{service.lower()}"
    server.create_database(template, "conformance_walk")
    folder.mkdir()
    for name in ("treasury.db", "platform.db"):
        with closing(sqlite3.connect(walking / name)) as live, closing(sqlite3.connect(folder / name)) as copy:
            live.backup(copy)
    return Scenario(server, template, folder)


def settled(simulators: Simulators) -> dict[str, Any]:
    """What the platform knows, once it has stored what it was told."""
    while (state := simulators.ask_platform("GET", "state"))["waiting"]:
        pass
    return state


@dataclass
class Play:
    """The adapter and the treasury in a cell."""

    adapter: Adapter
    treasury: Treasury

    def see(self, service: str, situation: str) -> Cell:
        """Bring the situation about, sweep once, and say what is so afterwards."""
        with self._arranged(service, situation):
            last = self.adapter.rows("SELECT coalesce(max(id), 0) AS id FROM ifms.outbox")[0]["id"]
            before = {query: self._words(query) for query in (MOVES, LOG, CALLS)}
            ends = self._sweep({"AUTH": "PI"}.get(service, service))

        def new(query: str) -> list[str]:
            words = [word for key, word in self._words(query).items() if key not in before[query]]
            return list(dict.fromkeys(words)) if service in BULK and query != LOG else words

        told = self.adapter.rows("SELECT payload FROM ifms.outbox WHERE id > %s ORDER BY id", last)
        calls = [word for word in new(CALLS) if service == "AUTH" or not word.startswith("AUTH")]
        return Cell(
            pi=self._newest("status"),
            beneficiaries=self._beneficiaries(),
            payment=self._payment(),
            moves=" ".join(new(MOVES)),
            log=" ".join(word.removeprefix("STATUS_LOG_") for word in new(LOG)),
            calls=", ".join(sorted(calls)),
            ends=type(ends).__name__ if ends else "green",
            because=str(ends or ""),
            told=" ".join(row["payload"].get("lineStatus") or row["payload"]["status"] for row in told),
        )

    def _sweep(self, service: str) -> IfmsError | None:
        try:
            if service == "COR":
                self.adapter.correct()
            else:
                self.adapter.run(service)
        except IfmsError as error:
            return error
        return None

    # The situations ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _arranged(self, service: str, situation: str) -> Iterator[None]:
        if situation == "never sent":
            with self._unreachable(service):
                yield
            return
        if service == "AUTH":
            self._arrange_login(situation)
        elif situation == "duplicate" and service in ("PI", "COR"):
            self._already_there(service)
        else:
            self._arrange_reply(service, situation)
        yield

    def _arrange_reply(self, service: str, situation: str) -> None:
        empty = json.dumps({"serviceId": service, "errorMsg": None, "data": []})
        rules: dict[str, Callable[[], None]] = {
            "ok": lambda: None,
            "error": lambda: self.treasury.rule(service, "error", errorMsg=REFUSED),
            "declined": lambda: self.treasury.rule(service, "error", errorMsg="Insufficient fund"),
            "rejected": lambda: (
                self.treasury.rule(service, "reject")
                if service == "PIS"
                else self.treasury.rule(service, "error", errorMsg=REJECTED.format(self._newest("pi_number")))
            ),
            "no news": lambda: self.treasury.rule(service, "plain_reply", text=empty),
            "unknown": lambda: self.treasury.rule(service, "lost_reply"),
            "duplicate": lambda: self.treasury.rule(service, "duplicate_rows"),
            "garbage": lambda: self.treasury.rule(service, "garbage"),
            "unknown text": lambda: self.treasury.rule(service, "unknown_text"),
            "wrong echo": lambda: self.treasury.rule(service, "other_bill"),
        }
        rules[situation]()

    def _arrange_login(self, situation: str) -> None:
        match situation:
            case "error":
                self.treasury.rule("AUTH", "http_status", status=400, body=REFUSED)
            case "rejected":
                self.adapter.treasury_changes = {"client_secret": "another-sample-secret"}
            case "no news":
                self.treasury.rule("AUTH", "http_status", status=200, body="{}")
            case "unknown":
                self.treasury.rule("AUTH", "lost_reply")
            case "duplicate":
                self.treasury.rule("PI", "expired_session", times=1)
            case "garbage":
                self.treasury.rule("AUTH", "garbage")
            case "unknown text":
                self.treasury.rule("AUTH", "unknown_text", field="authToken")
            case "wrong echo":
                self.treasury.rule("AUTH", "wrong_key")

    def _already_there(self, service: str) -> None:
        """The bill was taken and the reply lost; who is asked about it says that it is not there."""
        self.treasury.rule(service, "lost_reply", times=1)
        assert isinstance(self._sweep(service), SweepError)
        asked, text = UNKNOWN_BILL[service]
        self.treasury.rule(asked, "error", errorMsg=text, times=1)

    @contextmanager
    def _unreachable(self, service: str) -> Iterator[None]:
        """Nobody listens where the treasury was: at once for a login, else as soon as it has been made."""
        with Gate(self.treasury.simulators.treasury) as gate:
            if service == "AUTH":
                gate.shut()
            self.adapter.treasury_changes = {"base_url": gate.url}
            yield
            self.adapter.treasury_changes = {}

    # What is so -------------------------------------------------------------------------------------------------------

    def _words(self, query: str) -> dict[object, str]:
        return {row["id"]: row["word"] for row in self.adapter.rows(query)}

    def _newest(self, column: str) -> str | None:
        rows = self.adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY created_at DESC LIMIT 1")
        return rows[0][column] if rows else None

    def _beneficiaries(self) -> str | None:
        rows = self.adapter.rows(
            """
            SELECT b.status FROM ifms.beneficiary b JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id
            ORDER BY p.created_at DESC LIMIT 1
            """
        )
        return rows[0]["status"].removeprefix("Payment ") if rows else None

    def _payment(self) -> str | None:
        self.adapter.relay()
        payments = settled(self.treasury.simulators)["payments"]
        return payments[0]["status"] if payments else None


class Gate:
    """A way to the treasury that closes behind the first call."""

    def __init__(self, target: str) -> None:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = requests.post(target + self.path, data=body, headers=dict(self.headers), timeout=60)
                gate.shut()  # before the caller can make its next call
                self.send_response(reply.status_code)
                self.send_header("Content-Length", str(len(reply.content)))
                self.end_headers()
                self.wfile.write(reply.content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        """Nobody listens any more."""
        self._server.shutdown()
        self._server.server_close()
