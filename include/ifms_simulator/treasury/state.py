"""What the simulated treasury keeps, the settings it runs under, and its clock."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ifms.clock import wire_datetime
from ifms_simulator.settings import Settings
from ifms_simulator.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS key_pair (private_key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS session (token TEXT PRIMARY KEY, sek BLOB NOT NULL, since REAL NOT NULL);
CREATE TABLE IF NOT EXISTS grantee (ddo TEXT, hoa TEXT, code TEXT, PRIMARY KEY (ddo, hoa, code));
CREATE TABLE IF NOT EXISTS allotment (
    id INTEGER PRIMARY KEY, ddo TEXT, hoa TEXT, grantee TEXT, distribution TEXT, ssu_allotment TEXT, serial TEXT,
    withdrawal INTEGER, stamp TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS allotment_of ON allotment (ddo, hoa, grantee);
CREATE TABLE IF NOT EXISTS fund (
    distribution TEXT PRIMARY KEY, ddo TEXT, hoa TEXT, grantee TEXT, sanctioned INTEGER, allotted INTEGER,
    spent INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS bill (
    id INTEGER PRIMARY KEY, number TEXT UNIQUE, document TEXT, distribution TEXT, gross INTEGER, accepted_at REAL,
    pace REAL, received INTEGER, conflicts INTEGER NOT NULL DEFAULT 0, stage TEXT);
CREATE TABLE IF NOT EXISTS correction (
    id INTEGER PRIMARY KEY, number TEXT UNIQUE, bill TEXT, document TEXT, accepted_at REAL,
    pace REAL, received INTEGER, conflicts INTEGER NOT NULL DEFAULT 0, stage TEXT);
CREATE TABLE IF NOT EXISTS corrected (
    correction INTEGER, bill TEXT, beneficiary TEXT, account TEXT, ifsc TEXT, PRIMARY KEY (correction, beneficiary));
CREATE INDEX IF NOT EXISTS corrected_of ON corrected (bill, beneficiary);
CREATE TABLE IF NOT EXISTS failure (
    id INTEGER PRIMARY KEY, number TEXT, beneficiary TEXT, reason TEXT, challan_date TEXT, voucher_date TEXT,
    document TEXT, UNIQUE (number, beneficiary));
"""
"""Amounts are whole paise; `stamp` and dates are the treasury's wall clock (IST); `stage` is what was told last."""


_RUPEES = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?", re.ASCII)


class Refused(Exception):
    """The treasury answers with an error: one text, or one (code, text) per beneficiary."""

    def __init__(self, message: str | None = None, messages: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message or "; ".join(text for _, text in messages))
        self.message = message
        self.messages = tuple(messages)


@dataclass
class TreasurySettings:
    """How the treasury behaves; amounts in rupees, as texts.

    `repeated_pi`: what a PI or COR with a known number and the same content is answered ("duplicate" or "success").
    `unknown_bill`: what PIS answers about a bill it never saw ("error" or "empty"). `fd_reading`: whether FD reads its
    voucher date as "on" or "since". `correction_list_key`: the name of COR's list, or "either". `pace_seconds`: how
    long each step after acceptance takes. `latency_ms`: how late every reply is. `clock_offset_seconds`: added to the
    treasury's clock. The `allotment_…` amounts are those of allotments generated from now on. `refused_ifsc`:
    well-formed codes that the treasury does not know.
    """

    session_minutes: float = 30
    repeated_pi: str = "duplicate"
    unknown_bill: str = "error"
    fd_reading: str = "on"
    correction_list_key: str = "either"
    pace_seconds: float = 0
    latency_ms: float = 0
    clock_offset_seconds: float = 0
    allotment_initial: Sequence[str] = ("200000.00", "300000.00")
    allotment_additional: str = "50000.00"
    allotment_withdrawal: str = "10000.00"
    refused_ifsc: Sequence[str] = ()

    def __post_init__(self) -> None:
        _one_of("repeated_pi", self.repeated_pi, "duplicate", "success")
        _one_of("unknown_bill", self.unknown_bill, "error", "empty")
        _one_of("fd_reading", self.fd_reading, "on", "since")
        _one_of("correction_list_key", self.correction_list_key, "either", "beneficiaryDetails", "beneficiaryDtls")
        for name in ("session_minutes", "pace_seconds", "latency_ms"):
            value = _number(name, getattr(self, name))
            if value < 0:
                raise ValueError(f"{name} {value} is less than zero")
        _number("clock_offset_seconds", self.clock_offset_seconds)
        self.allotment_initial = tuple(self.allotment_initial)
        if not self.allotment_initial:
            raise ValueError("allotment_initial names no amount")
        for amount in (*self.allotment_initial, self.allotment_additional, self.allotment_withdrawal):
            paise(amount)
        self.refused_ifsc = tuple(self.refused_ifsc)


def _one_of(name: str, value: object, *known: str) -> None:
    if value not in known:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"{name} {value!r} is not a number")
    return float(value)


class State:
    """The treasury's store with its settings and its clock."""

    def __init__(self, path: Path, settings: TreasurySettings) -> None:
        self.store = Store(path, SCHEMA)
        self._settings = Settings(self.store, settings)

    @property
    def settings(self) -> TreasurySettings:
        """The settings in force."""
        return self._settings.now

    def change_settings(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change some settings, for good; all are returned. Raises ValueError for what can't be."""
        return self._settings.change(changes) if changes else self._settings.values()

    def now(self) -> float:
        """The treasury's time, in epoch seconds."""
        return time.time() + float(self.settings.clock_offset_seconds)


def stamp(moment: float) -> str:
    """`yyyy-MM-dd HH:mm:ss` of an epoch second, on the treasury's wall clock."""
    return wire_datetime(datetime.fromtimestamp(moment, UTC))


def paise(rupees: str) -> int:
    """Whole paise of a text in rupees. Raises ValueError when it is not an amount with at most two decimals."""
    if not _RUPEES.fullmatch(rupees):
        raise ValueError(f"{rupees!r} is not an amount")
    whole, _, part = rupees.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def rupees(amount: int) -> str:
    """The text of so many paise, with two decimals."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}{amount // 100}.{amount % 100:02d}"
