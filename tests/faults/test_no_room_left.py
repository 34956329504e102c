"""F21: the disk of the database is full, or a task's memory: the task fails, the money is right, later all goes on."""

import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from support.adapter import Adapter, assert_money_is_right
from support.durable import Durable
from support.processes import BEFORE_SENDING, Job, copy, until

BILLS = 40

pytestmark = [
    pytest.mark.tier("prove"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0}),
]


class FullDisk:
    """A small file system in memory that holds the server's data, and a file that takes all the rest of it."""

    said = "No space left on device"

    def __init__(self, server, folder):
        self.server, self._ballast = server, folder / "ballast"

    def fill(self, dsn):
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 65536):
                pass

    def free(self):
        self._ballast.unlink()


class LongestFile:
    """No file of the server may grow beyond 16 MiB: its log's files are that long, and the table of calls already is.

    What stands in for a full disk where nothing can be mounted.
    """

    said = "File too large"
    limit = 16 * 1024 * 1024

    def __init__(self, server, folder):
        self.server = server

    def fill(self, dsn):
        with psycopg.connect(dsn) as connection:
            connection.execute(
                "INSERT INTO ifms.treasury_call (id, service_id, enc_response) "
                "SELECT gen_random_uuid(), 'VA', repeat(md5(n::text), 58) FROM generate_series(1, 8600) n"
            )
        self._set(self.limit)

    def free(self):
        self._set(resource.RLIM_INFINITY)

    def _set(self, soft):
        postmaster = psutil.Process(self.server.server.pid)
        for process in (postmaster, *postmaster.children()):
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


@pytest.fixture(params=[FullDisk, LongestFile])
def disk(request):
    """A server whose disk can be filled."""
    folder = Path(tempfile.mkdtemp(prefix="ifms-disk-"))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user, who passes through here
    mounted = request.param is FullDisk
    if mounted:
        command = ["mount", "-t", "tmpfs", "-o", "size=192m,mode=0711", "tmpfs", str(folder)]
        with suppress(FileNotFoundError):
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if not mounted:
            folder.rmdir()
            pytest.skip("no file system can be mounted here; the longest file stands in for the full disk")
    server = Durable(folder)
    try:
        server.start()
        yield request.param(server, folder)
    finally:
        server.stop()
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)


def bills(simulators):
    order = {"type": "wage", "tenantId": "od.samplea", "payees": 4, "count": BILLS, "with_payments": True}
    simulators.ask_platform("POST", "bills", order)


def claims_run_out(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        for table in ("payment", "payment_instruction"):
            connection.execute(f"UPDATE ifms.{table} SET claimed_until = now() - interval '1 second'")


def test_a_full_disk_fails_the_task_and_the_money_is_right(disk, simulators, treasury):
    adapter = Adapter(disk.server.ledger(), simulators)
    bills(simulators)
    adapter.run("VA")
    disk.fill(adapter.dsn)
    with pytest.raises(psycopg.Error, match=disk.said):
        adapter.run("PI")
    assert_money_is_right(adapter, treasury)
    assert len(treasury.accepted) < BILLS
    disk.free()
    until(lambda: answers(adapter.dsn))
    claims_run_out(adapter)
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=BILLS)
    assert treasury.state["calls"]["PI"] == len(treasury.accepted) == BILLS
    assert_money_is_right(adapter, treasury)


def answers(dsn):
    with suppress(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        return connection.execute("SELECT 1").fetchone()


def test_a_task_without_memory_fails_and_the_money_is_right(adapter, simulators, treasury):
    """It may die anywhere: what it had written is found by the next sweep."""
    bills(simulators)
    adapter.run("VA")
    with copy(adapter, Job("PI"), BEFORE_SENDING) as sweep:
        sweep.starve()
        sweep.wake_to_die()
    assert_money_is_right(adapter, treasury)
    claims_run_out(adapter)
    adapter.run("PI")
    assert adapter.statuses() == Counter(INITIATED=BILLS)
    assert set(treasury.accepted.values()) == {1}
    assert_money_is_right(adapter, treasury)
