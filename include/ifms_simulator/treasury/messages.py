"""What the treasury demands of a request: the exact names and formats (treasury-jit.md §2).

Written from the contract and apart from `ifms.wire`, so that a name that is wrong there is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ifms_simulator.store import Json
from ifms_simulator.treasury.state import Refused

SERVICES = ("VA", "PI", "PIS", "PAG", "PD", "FD", "COR", "FTPS", "FTFPS")
_OLD_SPELLING = frozenset({"COR", "FTPS", "FTFPS"})  # their samples spell the key serviceID
_LIST_KEYS = ("beneficiaryDetails", "beneficiaryDtls")


@dataclass(frozen=True)
class Format:
    """What a value must look like, and how that is called in an error."""

    name: str
    pattern: re.Pattern[str]
    date_format: str | None = None

    def accepts(self, value: str) -> bool:
        """Whether `value` has this format."""
        if not self.pattern.fullmatch(value):
            return False
        if self.date_format is not None:
            try:
                datetime.strptime(value, self.date_format)  # noqa: DTZ007 - only its form is looked at
            except ValueError:
                return False
        return True


def _format(name: str, pattern: str, date_format: str | None = None) -> Format:
    return Format(name, re.compile(pattern, re.ASCII), date_format)


TEXT = _format("a text", r"\S(.{0,254}\S)?")
ANY = _format("a text of at most 256 characters", r".{0,256}")
AMOUNT = _format("an amount", r"[0-9]{1,13}(\.[0-9]{1,2})?")
COUNT = _format("a whole number", r"[0-9]{1,6}")
DATE = _format("a date yyyy-MM-dd", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "%Y-%m-%d")
DATETIME = _format(
    "a time yyyy-MM-dd HH:mm:ss", r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", "%Y-%m-%d %H:%M:%S"
)
YEAR = _format("a year", r"[0-9]{4}")
MOBILE = _format("a mobile number of 10 digits", r"[0-9]{10}")
NAME = _format("a text without special symbols", r"[A-Za-z0-9]([A-Za-z0-9 ]{0,254}[A-Za-z0-9])?")
ACCOUNT = _format("an account number", r"[A-Za-z0-9]{5,35}")
MUKTA = _format("MUKTA", r"(?i:mukta)")
IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)


@dataclass(frozen=True)
class Shape:
    """The names that a message must and may have."""

    required: Mapping[str, Format]
    optional: Mapping[str, Format] = field(default_factory=dict)

    def faults(self, message: Mapping[str, Any], where: str = "") -> list[str]:
        """What is wrong with `message`, each fault naming its field; `where` says which part it is."""
        found = [f"{name} is missing{where}" for name in self.required if name not in message]
        for name, value in message.items():
            wanted = self.required.get(name) or self.optional.get(name)
            if wanted is None:
                found.append(f"{name} is not a known field{where}")
            elif not isinstance(value, str):
                found.append(f"{name} is not a text{where}")
            elif not wanted.accepts(value):
                found.append(f"{name} is not {wanted.name}{where}")
        return found


# What names a revision: COR sends it so, FTPS asks for it so.
_REVISION = Shape(
    {
        "jitCorBillNo": TEXT,
        "jitCorBillDate": DATETIME,
        "jitCorBillDeptCode": MUKTA,
        "jitOrgBillRefNo": TEXT,
        "jitOrgBillNo": TEXT,
        "jitOrgBillDate": DATETIME,
    }
)
SHAPES: Mapping[str, Shape] = {
    "VA": Shape({"hoa": TEXT, "ddoCode": TEXT, "granteCode": TEXT, "fromDate": DATETIME}),
    "PI": Shape(
        {
            "jitBillNo": TEXT,
            "jitBillDate": DATETIME,
            "jitBillDdoCode": TEXT,
            "granteeAgCode": TEXT,
            "schemeCode": TEXT,
            "hoa": TEXT,
            "ssuIaId": TEXT,
            "mstAllotmentDistId": TEXT,
            "ssuAllotmentId": TEXT,
            "allotmentTxnSlNo": COUNT,
            "billGrossAmount": AMOUNT,
            "billNetAmount": AMOUNT,
            "billNumberOfBenf": COUNT,
            "purpose": NAME,
        }
    ),
    "PIS": Shape({"jitBillNo": TEXT, "jitBillDate": DATE, "ssuIaId": TEXT}),
    "PAG": Shape({"pmtInstId": TEXT, "pmtInstDate": DATETIME, "billNo": TEXT, "billDate": DATE, "ssuIaId": TEXT}),
    "PD": Shape({"finYear": YEAR, "extAppName": MUKTA, "billRefNo": TEXT, "tokenNumber": TEXT, "tokenDate": DATE}),
    "FD": Shape({"finYear": YEAR, "extAppName": MUKTA, "voucherDate": DATE}),
    "COR": _REVISION,
    "FTPS": _REVISION,
    "FTFPS": Shape(
        {"jitCorBillNo": TEXT, "jitCorBillDate": DATETIME, "billRefNo": TEXT, "tokenNumber": TEXT, "tokenDate": DATE}
    ),
}

BENEFICIARY = Shape(
    {
        "benefId": TEXT,
        "benefName": NAME,
        "benfAcctNo": ACCOUNT,
        "benfBankIfscCode": ANY,
        "benfMobileNo": MOBILE,
        "benfEmailId": ANY,
        "benfAddress": NAME,
        "benfAccountType": NAME,
        "benfAmount": AMOUNT,
        "purpose": NAME,
    },
    {"panNo": ANY, "pranNo": ANY, "adhaarNumber": ANY},
)

CORRECTION = Shape(
    {"benefId": TEXT, "jitCurBillRefNo": TEXT, "correctedAccountNo": ACCOUNT, "correctedIfsc": ANY},
    # An account without a history has none of these (digit-services.md §8).
    {"orgAccountNo": ACCOUNT, "orgIfsc": ANY, "curAccountNo": ACCOUNT, "curIfsc": ANY},
)


def opened(request: Json) -> tuple[str, dict[str, Any]]:
    """The service and the params of a decrypted request. Raises Refused when it is not an envelope."""
    if not isinstance(request, dict):
        raise Refused("The request is not an object")
    service = request.get("serviceId")
    key = "serviceId"
    if service is None and request.get("serviceID") in _OLD_SPELLING:
        key, service = "serviceID", request["serviceID"]
    if service not in SERVICES:
        raise Refused("serviceId is missing" if service is None else "serviceId is not a known service")
    unknown = sorted(set(request) - {key, "params"})
    if unknown:
        raise Refused(f"{', '.join(unknown)} is not a known field of the request")
    params = request.get("params")
    if not isinstance(params, dict):
        raise Refused("params is missing")
    return service, params


def checked(service: str, params: dict[str, Any], list_key: str) -> list[dict[str, str]]:
    """The beneficiaries of a PI or COR (else none), once all names and formats are right.

    Raises Refused with a text that names every field that is missing, unknown or of a wrong format.
    """
    header = params
    rows: list[dict[str, str]] = []
    if service in ("PI", "COR"):
        key, rows = _list_of(service, params, list_key)
        header = {name: value for name, value in params.items() if name != key}
    faults = SHAPES[service].faults(header)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            faults.append(f"beneficiary {number} is not an object")
            continue
        shape = BENEFICIARY if service == "PI" else CORRECTION
        faults += shape.faults(row, f" for BenefId {row.get('benefId', f'in row {number}')}")
    if faults:
        raise Refused(f"Invalid {service} request: {'; '.join(faults)}")
    return rows


def _list_of(service: str, params: dict[str, Any], list_key: str) -> tuple[str, list[Any]]:
    if service == "PI" or list_key != "either":
        names: tuple[str, ...] = ("beneficiaryDetails",) if service == "PI" else (list_key,)
    else:
        names = _LIST_KEYS
    key = next((name for name in names if name in params), None)
    if key is None or not isinstance(params[key], list) or not params[key]:
        raise Refused(f"Beneficiary detail is missing: {' or '.join(names)}")
    return key, params[key]


def refuse_wrong_ifsc(rows: list[dict[str, str]], name: str, code: str, unknown: tuple[str, ...]) -> None:
    """Raise Refused with one (code, text) for each beneficiary whose IFSC in field `name` can't be a bank's."""
    wrong = [row["benefId"] for row in rows if not IFSC.fullmatch(row[name]) or row[name] in unknown]
    if wrong:
        text = "Wrong IFSC provided in Beneficiary Details for BenefId"
        raise Refused(messages=[(code, f"{text} {beneficiary}") for beneficiary in wrong])


def refuse_same_account(rows: list[dict[str, str]], account: str, ifsc: str) -> None:
    """Raise Refused when two beneficiaries share an account and IFSC, or an id."""
    ids = [row["benefId"] for row in rows]
    if len(set(ids)) != len(ids):
        raise Refused("A BenefId occurs more than once in Beneficiary Details")
    if len({(row[account], row[ifsc]) for row in rows}) != len(rows):
        raise Refused("Two or more beneficiaries have the same account number and IFSC")


def refuse_unless_echoed(bill: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Raise Refused unless the request repeats, field by field, what the treasury knows or told about the bill."""
    wrong = [name for name, value in ours.items() if theirs[name] != value]
    if wrong:
        raise Refused(f"{', '.join(wrong)} does not belong to bill {bill}")
