"""What the adapter makes of whatever the treasury does: each service code in each situation, as data.

`docs/conformance.md` is made from this table; `test_table.py` plays every cell of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ifms.wire.phrasebook import shipped

SERVICES = ("AUTH", "VA", "PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS")
BULK = frozenset({"VA", "FD"})  # many calls that are about no single PI: what is seen of them is counted once

SITUATIONS: Mapping[str, str] = {
    "ok": "what was asked for, in full",
    "error": "an error text that nobody knows",
    "declined": "a text that is known for an error in what was sent: Insufficient fund",
    "rejected": "the text that a bill is rejected by its SSU; of a login: a wrong client secret",
    "no news": "an answer without a row; of a login: without token and key",
    "never sent": "nobody listens at the address (for all but AUTH: any more)",
    "unknown": "the request arrived, the reply was lost",
    "duplicate": "PI, COR: sent twice, and refused as a duplicate; AUTH: a second login, as the session is over; "
    "else every row twice",
    "garbage": "a reply that is not base64",
    "unknown text": "a status text that nobody knows in a reply that is whole otherwise",
    "wrong echo": "a reply about another bill; of a login: a key that only another can open",
}


@dataclass(frozen=True)
class Cell:
    """What is so after one sweep.

    `pi`, `beneficiaries`: of the newest PI (the revision's from COR on). `payment`: the platform's word for the
    payment, once it was told. `moves`: the movements of money written. `log`: the status log's new entries, without
    their STATUS_LOG_. `calls`: the call log's new rows, sorted; logins only for AUTH. `ends`: "green", or the error
    that the sweep's task ends with, whose text holds `because`. `told`: the statuses put into the outbox.
    """

    pi: str | None = None
    beneficiaries: str | None = None
    payment: str | None = None
    moves: str = ""
    log: str = ""
    calls: str = ""
    ends: str = "green"
    because: str = ""
    told: str = ""


@dataclass(frozen=True)
class Never:
    """A cell that can't be: `why`; the reply's rows have none of the texts `TEXTS` to be unknown."""

    why: str


ATTENTION, UNREACHABLE = "SweepNeedsAttentionError", "SweepUnreachableError"
NO_LOGIN, NO_TREASURY = "TreasuryLoginError", "TreasuryUnreachableError"
NOBODY = "of 1 call(s) was answered"
OTHER_BILL = "names the bill 'PI-XX/2000-01/999999'"
REFUSED = "Sample error of the treasury"
UNKNOWN_TEXT = "says what nobody knows, and it changes nothing"
NOT_A_BILL = Never("only a bill can be declined")
STAYS = "it stays PENDING with its money reserved"

TEXTS = ("allotment_txn_type", "success_code", "payment_status", "failed_reason")
"""The fields of a reply whose words have a meaning."""

# Where the payment stands when nothing has changed: PI, beneficiaries, the platform's word.
BEFORE: Mapping[str, tuple[str | None, str | None, str | None]] = {
    "AUTH": (None, None, "INITIATED"),
    "VA": (None, None, None),
    "PIS": ("INITIATED", "Initiated", "INITIATED"),
    "PAG": ("APPROVED", "Initiated", "INITIATED"),
    "PD": ("IN PROCESS", "In Process", "INITIATED"),
    "FD": ("SUCCESSFUL", "Successful", "SUCCESSFUL"),
    "FTPS": ("INITIATED", "In Process", "INITIATED"),
    "FTFPS": ("SUCCESSFUL", "Successful", "SUCCESSFUL"),
}


def same(service: str, calls: str, log: str = "", ends: str = "green", because: str = "") -> Cell:
    """Nothing has changed."""
    return Cell(*BEFORE[service], log=log, calls=calls, ends=ends, because=because)


def pending(calls: str, log: str, ends: str, because: str = "") -> Cell:
    """A new PI whose outcome is not known: its money stays reserved."""
    return Cell("PENDING", "Pending", "INITIATED", "RESERVE", log, calls, ends, because)


def revised(calls: str, log: str, ends: str, because: str = "") -> Cell:
    """A new revision whose outcome is not known; it moves no money."""
    return Cell("PENDING", "Pending", "PARTIAL", "", log, calls, ends, because)


ACCEPTED = Cell("INITIATED", "Initiated", "INITIATED", "RESERVE DEBIT", "PI_SUCCESS", "PI answered", told="INITIATED")
DECLINED = Cell("FAILED", "Pending", "FAILED", "RESERVE RELEASE", "PI_ERROR", "PI rejected", told="FAILED")
REVISED = Cell("INITIATED", "In Process", "INITIATED", "", "COR_SUCCESS", "COR answered", told="INITIATED")
NOT_REVISED = Cell("FAILED", "Failed", "PARTIAL", "", "COR_ERROR", "COR rejected")
PAID = ("SUCCESSFUL", "Successful", "SUCCESSFUL", "")
RETURNED = ("PARTIAL", "Failed", "PARTIAL", "")
BOOKED = Cell(*RETURNED, "FD_SUCCESS", "FD answered", told="FAILED")
BOOKED_AGAIN = Cell(*RETURNED, "FTFPS_SUCCESS", "FTFPS answered", told="FAILED")

TABLE: Mapping[tuple[str, str], Cell | Never] = {
    # No PI is written before a login has succeeded; a refused one is not tried again, an unreachable treasury is.
    ("AUTH", "ok"): Cell(
        "INITIATED",
        "Initiated",
        "INITIATED",
        "RESERVE DEBIT",
        "PI_SUCCESS",
        "AUTH answered, PI answered",
        told="INITIATED",
    ),
    ("AUTH", "error"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "HTTP 400"),
    ("AUTH", "declined"): NOT_A_BILL,
    ("AUTH", "rejected"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "HTTP 401"),
    ("AUTH", "no news"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "not authToken and base64 sek"),
    ("AUTH", "never sent"): same("AUTH", "AUTH never_sent, AUTH never_sent", "", NO_TREASURY, "no login"),
    ("AUTH", "unknown"): same("AUTH", "AUTH unknown, AUTH unknown", "", NO_TREASURY, "no login"),
    ("AUTH", "duplicate"): Cell(
        "INITIATED",
        "Initiated",
        "INITIATED",
        "RESERVE DEBIT",
        "PI_SUCCESS",
        "AUTH answered, AUTH answered, PI answered, PI unknown",
        told="INITIATED",
    ),
    ("AUTH", "garbage"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "not authToken and base64 sek"),
    ("AUTH", "unknown text"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "no authToken that a header can carry"),
    ("AUTH", "wrong echo"): same("AUTH", "AUTH unknown", "", NO_LOGIN, "check the public key"),
    # Allotments are about no PI: no status log; whatever is not understood is asked for again.
    ("VA", "ok"): Cell(moves="ALLOTMENT WITHDRAWAL", calls="VA answered"),
    ("VA", "error"): same("VA", "VA rejected", "", ATTENTION, "the treasury says"),
    ("VA", "declined"): NOT_A_BILL,
    ("VA", "rejected"): same("VA", "VA rejected", "", ATTENTION, "the treasury says"),
    ("VA", "no news"): same("VA", "VA answered"),
    ("VA", "never sent"): same("VA", "VA never_sent", "", UNREACHABLE, "was answered"),
    ("VA", "unknown"): same("VA", "VA unknown", "", UNREACHABLE, "was answered"),
    ("VA", "duplicate"): Cell(moves="ALLOTMENT WITHDRAWAL", calls="VA answered"),
    ("VA", "garbage"): same("VA", "VA unknown", "", ATTENTION, "not base64"),
    ("VA", "unknown text"): same("VA", "VA answered", "", ATTENTION, "allotmentTxnType: is none of"),
    ("VA", "wrong echo"): same("VA", "VA answered", "", ATTENTION, "which was not asked about"),
    # Written before it is sent; only an answer settles it.
    ("PI", "ok"): ACCEPTED,
    ("PI", "error"): pending("PI rejected", "PI_ERROR", ATTENTION, f"refused: {REFUSED}; {STAYS}"),
    ("PI", "declined"): DECLINED,
    ("PI", "rejected"): pending("PI rejected", "PI_ERROR", ATTENTION, "refused: This Bill Number"),
    ("PI", "no news"): pending("PI answered", "PI_ERROR", ATTENTION, f"has 0 rows instead of one; {STAYS}"),
    ("PI", "never sent"): pending("PI never_sent", "PI_NOT_SENT", UNREACHABLE, NOBODY),
    ("PI", "unknown"): pending("PI unknown", "PI_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("PI", "duplicate"): Cell(
        "INITIATED", "Initiated", "INITIATED", "DEBIT", "PI_DUPLICATE", "PI rejected, PIS rejected", told="INITIATED"
    ),
    ("PI", "garbage"): pending("PI unknown", "PI_NO_RESPONSE", ATTENTION, f"not base64; {STAYS}"),
    ("PI", "unknown text"): pending("PI answered", "PI_ERROR", ATTENTION, "has the success code 'Sample text"),
    ("PI", "wrong echo"): pending("PI answered", "PI_ERROR", ATTENTION, OTHER_BILL),
    # Only an approval or a rejection changes anything.
    ("PIS", "ok"): Cell("APPROVED", "Initiated", "INITIATED", "", "PIS_SUCCESS", "PIS answered"),
    ("PIS", "error"): same("PIS", "PIS rejected", "PIS_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("PIS", "declined"): NOT_A_BILL,
    ("PIS", "rejected"): Cell(
        "FAILED", "Initiated", "FAILED", "REVERSAL", "PIS_REJECTED", "PIS rejected", told="FAILED"
    ),
    ("PIS", "no news"): same("PIS", "PIS answered", "PIS_NO_NEWS"),
    ("PIS", "never sent"): same("PIS", "PIS never_sent", "PIS_NOT_SENT", UNREACHABLE, NOBODY),
    ("PIS", "unknown"): same("PIS", "PIS unknown", "PIS_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("PIS", "duplicate"): same("PIS", "PIS answered", "PIS_ERROR", ATTENTION, "has 2 rows instead of one"),
    ("PIS", "garbage"): same("PIS", "PIS unknown", "PIS_ERROR", ATTENTION, "not base64"),
    ("PIS", "unknown text"): Never("an approval has no status text: it is one by its number"),
    ("PIS", "wrong echo"): same("PIS", "PIS answered", "PIS_ERROR", ATTENTION, OTHER_BILL),
    ("PAG", "ok"): Cell("IN PROCESS", "In Process", "INITIATED", "", "PAG_SUCCESS", "PAG answered"),
    ("PAG", "error"): same("PAG", "PAG rejected", "PAG_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("PAG", "declined"): NOT_A_BILL,
    ("PAG", "rejected"): same("PAG", "PAG rejected", "PAG_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("PAG", "no news"): same("PAG", "PAG answered", "PAG_NO_NEWS"),
    ("PAG", "never sent"): same("PAG", "PAG never_sent", "PAG_NOT_SENT", UNREACHABLE, NOBODY),
    ("PAG", "unknown"): same("PAG", "PAG unknown", "PAG_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("PAG", "duplicate"): same("PAG", "PAG answered", "PAG_ERROR", ATTENTION, "has 2 rows instead of one"),
    ("PAG", "garbage"): same("PAG", "PAG unknown", "PAG_ERROR", ATTENTION, "not base64"),
    ("PAG", "unknown text"): Never("an advice has no status text: it is one by its six fields"),
    ("PAG", "wrong echo"): same("PAG", "PAG answered", "PAG_ERROR", ATTENTION, OTHER_BILL),
    # A scroll counts once; one whose text does not say that it is paid does not count.
    ("PD", "ok"): Cell(*PAID, "PD_SUCCESS", "PD answered", told="SUCCESSFUL"),
    ("PD", "error"): same("PD", "PD rejected", "PD_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("PD", "declined"): NOT_A_BILL,
    ("PD", "rejected"): same("PD", "PD rejected", "PD_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("PD", "no news"): same("PD", "PD answered", "PD_NO_NEWS"),
    ("PD", "never sent"): same("PD", "PD never_sent", "PD_NOT_SENT", UNREACHABLE, NOBODY),
    ("PD", "unknown"): same("PD", "PD unknown", "PD_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("PD", "duplicate"): Cell(*PAID, "PD_SUCCESS", "PD answered", told="SUCCESSFUL"),
    ("PD", "garbage"): same("PD", "PD unknown", "PD_ERROR", ATTENTION, "not base64"),
    ("PD", "unknown text"): same("PD", "PD answered", "PD_ERROR", ATTENTION, "none that is known to say paid"),
    ("PD", "wrong echo"): same("PD", "PD answered", "PD_ERROR", ATTENTION, OTHER_BILL),
    # Failures come by voucher date; the reason is for people and is kept as it is told.
    ("FD", "ok"): BOOKED,
    ("FD", "error"): same("FD", "FD rejected", "", ATTENTION, "the treasury says"),
    ("FD", "declined"): NOT_A_BILL,
    ("FD", "rejected"): same("FD", "FD rejected", "", ATTENTION, "the treasury says"),
    ("FD", "no news"): same("FD", "FD answered"),
    ("FD", "never sent"): same("FD", "FD never_sent", "", UNREACHABLE, "nothing was heard about"),
    ("FD", "unknown"): same("FD", "FD unknown", "", UNREACHABLE, "nothing was heard about"),
    ("FD", "duplicate"): BOOKED,
    ("FD", "garbage"): same("FD", "FD unknown", "", ATTENTION, "not base64"),
    ("FD", "unknown text"): BOOKED,
    ("FD", "wrong echo"): same("FD", "FD answered", "", ATTENTION, "matches nothing: no payment instruction has"),
    # As PI, but for the money, which the original has spent; declined, its beneficiaries are as failed as before.
    ("COR", "ok"): REVISED,
    ("COR", "error"): revised("COR rejected", "COR_ERROR", ATTENTION, f"refused: {REFUSED}; {STAYS}"),
    ("COR", "declined"): NOT_REVISED,
    ("COR", "rejected"): revised("COR rejected", "COR_ERROR", ATTENTION, "refused: This Bill Number"),
    ("COR", "no news"): revised("COR answered", "COR_ERROR", ATTENTION, "has 0 rows instead of one"),
    ("COR", "never sent"): revised("COR never_sent", "COR_NOT_SENT", UNREACHABLE, NOBODY),
    ("COR", "unknown"): revised("COR unknown", "COR_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("COR", "duplicate"): Cell(
        "INITIATED", "In Process", "INITIATED", "", "COR_DUPLICATE", "COR rejected, FTPS rejected", told="INITIATED"
    ),
    ("COR", "garbage"): revised("COR unknown", "COR_NO_RESPONSE", ATTENTION, f"not base64; {STAYS}"),
    ("COR", "unknown text"): revised("COR answered", "COR_ERROR", ATTENTION, "has the success code 'Sample text"),
    ("COR", "wrong echo"): revised("COR answered", "COR_ERROR", ATTENTION, OTHER_BILL),
    ("FTPS", "ok"): Cell(*PAID, "FTPS_SUCCESS", "FTPS answered", told="SUCCESSFUL"),
    ("FTPS", "error"): same("FTPS", "FTPS rejected", "FTPS_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("FTPS", "declined"): NOT_A_BILL,
    ("FTPS", "rejected"): same("FTPS", "FTPS rejected", "FTPS_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("FTPS", "no news"): same("FTPS", "FTPS answered", "FTPS_NO_NEWS"),
    ("FTPS", "never sent"): same("FTPS", "FTPS never_sent", "FTPS_NOT_SENT", UNREACHABLE, NOBODY),
    ("FTPS", "unknown"): same("FTPS", "FTPS unknown", "FTPS_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("FTPS", "duplicate"): Cell(*PAID, "FTPS_SUCCESS", "FTPS answered", told="SUCCESSFUL"),
    ("FTPS", "garbage"): same("FTPS", "FTPS unknown", "FTPS_ERROR", ATTENTION, "not base64"),
    ("FTPS", "unknown text"): same("FTPS", "FTPS answered", "FTPS_ERROR", ATTENTION, "none that is known to say paid"),
    ("FTPS", "wrong echo"): same("FTPS", "FTPS answered", "FTPS_ERROR", ATTENTION, OTHER_BILL),
    ("FTFPS", "ok"): BOOKED_AGAIN,
    ("FTFPS", "error"): same("FTFPS", "FTFPS rejected", "FTFPS_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("FTFPS", "declined"): NOT_A_BILL,
    ("FTFPS", "rejected"): same("FTFPS", "FTFPS rejected", "FTFPS_ERROR", ATTENTION, UNKNOWN_TEXT),
    ("FTFPS", "no news"): same("FTFPS", "FTFPS answered", "FTFPS_NO_NEWS"),
    ("FTFPS", "never sent"): same("FTFPS", "FTFPS never_sent", "FTFPS_NOT_SENT", UNREACHABLE, NOBODY),
    ("FTFPS", "unknown"): same("FTFPS", "FTFPS unknown", "FTFPS_NO_RESPONSE", UNREACHABLE, NOBODY),
    ("FTFPS", "duplicate"): BOOKED_AGAIN,
    ("FTFPS", "garbage"): same("FTFPS", "FTFPS unknown", "FTFPS_ERROR", ATTENTION, "not base64"),
    ("FTFPS", "unknown text"): BOOKED_AGAIN,
    ("FTFPS", "wrong echo"): same("FTFPS", "FTFPS answered", "FTFPS_ERROR", ATTENTION, OTHER_BILL),
}


def page() -> str:
    """The table as Markdown: the situations, then a table for each service."""
    lines = ["| situation | the treasury gives |", "| --- | --- |"]
    lines += [f"| {name} | {meaning} |" for name, meaning in SITUATIONS.items()]
    head = "| situation | PI | beneficiaries | platform's payment | money | status log | calls | sweep ends | told |"
    for service in SERVICES:
        lines += ["", f"### {service}", "", head, "|" + " --- |" * 9]
        for situation in SITUATIONS:
            cell = TABLE[service, situation]
            if isinstance(cell, Never):
                lines.append(f"| {situation} | can't be: {cell.why} |" + " |" * 7)
                continue
            ends = cell.ends + (f": “… {cell.because} …”" if cell.because else "")
            values = (cell.pi, cell.beneficiaries, cell.payment, cell.moves, cell.log, cell.calls, ends, cell.told)
            lines.append(f"| {situation} | {' | '.join(value or '–' for value in values)} |")
    return "\n".join(lines)


def texts() -> str:
    """The phrases that are shipped as Markdown, from the file that the adapter reads."""
    lines = ["| services | text | meaning | source |", "| --- | --- | --- | --- |"]
    for phrase in shipped().phrases:
        text = f"every error of code {phrase.code}, as: {phrase.text}" if phrase.code else phrase.text
        values = (", ".join(phrase.services), text, phrase.meaning, phrase.source)
        lines.append("| " + " | ".join(value.replace("|", "\\|") for value in values) + " |")
    return "\n".join(lines)
