"""The ledger's records, verified and anchored, as a task."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ifms.errors import ReportTargetError
from ifms_airflow import report_storage
from ifms_airflow.operators.sweep import SweepOperator

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow.sdk import Context, ObjectStoragePath

    from ifms.services.audit import Anchor
    from ifms.signing import Signer
    from ifms_airflow.hooks import LedgerHook

ANCHORS = "anchors"
EARLIER = 10
"""So many of the latest anchors are compared with; each of them agreed with those before it when it was made."""


class AuditOperator(SweepOperator):
    """Verify the records' chains, compare them with the latest anchors, and write the next one.

    Of the treasury's connection it needs the signing key alone: neither the treasury nor the platform is called. When
    something is wrong, no anchor is written: it would say that what is there now is right.

    :param path: a folder, or any URL that ObjectStoragePath takes; the folder `reports` of AIRFLOW_HOME when empty. The
        anchors are kept in its folder `anchors`.
    """

    service_id = "AUDIT"

    def __init__(self, *, path: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path

    @cached_property
    def ledger_hook(self) -> LedgerHook:
        """The way to the ledger, with time enough to read all records."""
        from ifms_airflow.hooks import LedgerHook

        return LedgerHook(self.ledger_conn_id, statement_timeout=timedelta(hours=2))

    def execute(self, context: Context) -> None:
        """Verify, write the sweep's row and the anchor; raises a SweepError that names what is wrong."""
        from ifms.services.audit import audit, write_anchor
        from ifms_airflow.hooks import TreasuryHook

        signer = TreasuryHook(self.treasury_conn_id).keyring.signer
        folder = report_storage.opened(self.path, ANCHORS)
        with self.ledger_hook.ledger() as ledger, self.sweep(context, ledger) as sweep:
            anchor = audit(sweep, signer, _latest(folder))
            if sweep.counts["problems"]:
                return
            with TemporaryDirectory(prefix="ifms-anchor-") as here:
                file = Path(here) / anchor.name
                file.write_text(write_anchor(anchor, signer), encoding="utf-8")
                report_storage.put(file, folder, file.name)
            self.log.info("The anchor is at %s", folder / anchor.name)


def anchored_before(path: str | None, at: datetime, signer: Callable[[], Signer]) -> Anchor | None:
    """The newest anchor from before an instant; None where there is none.

    Raises BadInputError or SignatureError for one that can't be believed, ReportTargetError for a place that can't be
    read. `signer` is asked for only where there is one.
    """
    from ifms.services.audit import PREFIX, Anchor, read_anchor

    folder = report_storage.root(path) / ANCHORS
    bound = Anchor(at, ()).name
    try:
        if not folder.exists():
            return None
        names = [each.name for each in folder.iterdir() if each.name.startswith(PREFIX) and each.name < bound]
        text = (folder / max(names)).read_text(encoding="utf-8", errors="replace") if names else None
    except Exception as error:  # each kind of storage has its own
        raise ReportTargetError.of(folder, error) from None
    return None if text is None else read_anchor(text, signer())


def _latest(folder: ObjectStoragePath) -> list[str]:
    from ifms.services.audit import PREFIX

    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.startswith(PREFIX))
        return [(folder / name).read_text(encoding="utf-8", errors="replace") for name in names[-EARLIER:]]
    except Exception as error:  # each kind of storage has its own
        raise ReportTargetError.of(folder, error) from None
