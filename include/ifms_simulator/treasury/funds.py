"""Virtual allotments (VA), and what is left of them in the treasury's view."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from ifms.clock import IST, financial_year, from_epoch_ms
from ifms_simulator import codes
from ifms_simulator.store import dump, load
from ifms_simulator.treasury.messages import AMOUNT, DATE, TEXT
from ifms_simulator.treasury.state import Refused, State, paise, rupees, stamp

INITIAL, ADDITIONAL, WITHDRAWAL = "Initial Allotment", "Additional allotment", "Allotment withdrawal"
"""The texts as real replies write them: each with its own capitals (treasury-jit.md §2)."""

UNKNOWN = "DDO and SSUID configuration is missing"


class Funds:
    """Allotments per DDO, head of account and grantee; those nobody defined are derived from the codes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._store = state.store

    def search(self, params: Mapping[str, str]) -> list[dict[str, str]]:
        """VA: the allotments since `fromDate`, oldest first."""
        ddo, hoa, grantee = params["ddoCode"], params["hoa"], params["granteCode"]
        self._ensure(ddo, hoa, grantee)
        rows = self._store.rows(
            "SELECT document FROM allotment WHERE ddo = ? AND hoa = ? AND grantee = ? AND stamp >= ? AND stamp <= ?"
            " ORDER BY stamp, id",
            ddo,
            hoa,
            grantee,
            params["fromDate"],
            stamp(self._state.now()),
        )
        return [load(row["document"]) for row in rows]

    def office_of(self, distribution: str) -> str:
        """The SSU office that a sanction's rows name."""
        row = self._store.row("SELECT document FROM allotment WHERE distribution = ?", distribution)
        return str(load(row["document"])["ssuOffice"]) if row else "unknown office"

    def book(self, params: Mapping[str, str], gross: int) -> None:
        """Take `gross` paise for a PI off its sanction.

        Raises Refused when the PI's codes and allotment don't belong together, or too little is left.
        """
        ddo, hoa, grantee = params["jitBillDdoCode"], params["hoa"], params["granteeAgCode"]
        self._ensure(ddo, hoa, grantee)
        row = self._store.row(
            "SELECT a.document, f.allotted - f.spent AS available FROM fund f JOIN allotment a USING (distribution)"
            " WHERE f.distribution = ? AND f.ddo = ? AND f.hoa = ? AND f.grantee = ? AND a.ssu_allotment = ?"
            " AND a.serial = ? AND NOT a.withdrawal",
            params["mstAllotmentDistId"],
            ddo,
            hoa,
            grantee,
            params["ssuAllotmentId"],
            params["allotmentTxnSlNo"],
        )
        if row is None or load(row["document"])["ssuId"] != params["ssuIaId"]:
            raise Refused(UNKNOWN)
        if row["available"] < gross:
            raise Refused("Insufficient fund")
        self._store.run("UPDATE fund SET spent = spent + ? WHERE distribution = ?", gross, params["mstAllotmentDistId"])

    def give_back(self, distribution: str, gross: int) -> None:
        """Return a rejected bill's amount to its sanction."""
        self._store.run("UPDATE fund SET spent = spent - ? WHERE distribution = ?", gross, distribution)

    def add(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Define one allotment through the control endpoint and return its row, as VA will tell it.

        Needed: ddoCode, hoa, granteeAgCode, allotmentTxnType, allotmentAmount; for all but an initial allotment also
        mstAllotmentDistId. The rest has a default: the date now, the next serial number. Raises ValueError.
        """
        fields = {**given}
        for name in ("ddoCode", "hoa", "granteeAgCode", "allotmentTxnType", "allotmentAmount"):
            if not isinstance(fields.get(name), str):
                raise ValueError(f"{name} is missing or not a text")
        kind = next(
            (k for k in (INITIAL, ADDITIONAL, WITHDRAWAL) if k.lower() == fields["allotmentTxnType"].lower()), None
        )
        if kind is None:
            raise ValueError(f"allotmentTxnType {fields['allotmentTxnType']!r} is unknown")
        place = (fields["ddoCode"], fields["hoa"], fields["granteeAgCode"])
        with self._store.transaction():
            if not fields.pop("only", False):
                self._ensure(*place)
            self._store.run("INSERT OR IGNORE INTO grantee VALUES (?, ?, ?)", *place)
            number = self._store.count("allotments-added")
            known = self._store.row("SELECT 1 FROM fund WHERE distribution = ?", fields.get("mstAllotmentDistId"))
            if kind == INITIAL and known is not None:
                raise ValueError(f"mstAllotmentDistId {fields['mstAllotmentDistId']!r} has its initial allotment")
            if kind == INITIAL:
                fields.setdefault("mstAllotmentDistId", str(3_000_000_000 + number))
                fields.setdefault("sanctioned", rupees(4 * paise(fields["allotmentAmount"])))
            elif known is None:
                raise ValueError(f"mstAllotmentDistId {fields.get('mstAllotmentDistId')!r} is unknown")
            return self._insert(place, kind, fields)

    def _ensure(self, ddo: str, hoa: str, grantee: str) -> None:
        """Derive the allotments of this combination, unless it has some.

        Two initial ones that share SSU allotment and serial number and differ only in mstAllotmentDistId (real data
        does this), then an addition to the first and a withdrawal from it.
        """
        place = (ddo, hoa, grantee)
        if self._store.row("SELECT 1 FROM grantee WHERE ddo = ? AND hoa = ? AND code = ?", *place):
            return
        self._store.run("INSERT INTO grantee VALUES (?, ?, ?)", *place)
        settings = self._state.settings
        base = 1_000_000_000 + zlib.crc32("|".join(place).encode()) % 99_999_999 * 10
        year = financial_year(from_epoch_ms(int(self._state.now() * 1000)).astimezone(IST).date())
        common = {"ssuAllotmentId": str(base)}
        for offset, amount in enumerate(settings.allotment_initial):
            self._insert(
                place,
                INITIAL,
                {
                    **common,
                    "mstAllotmentDistId": str(base + offset),
                    "allotmentAmount": amount,
                    "allotmentTxnSlNo": "0",
                    "sanctioned": rupees(4 * paise(amount)),
                    "stamp": f"{year}-04-01 00:00:00",
                },
            )
        later = ((ADDITIONAL, settings.allotment_additional), (WITHDRAWAL, settings.allotment_withdrawal))
        for serial, (kind, amount) in enumerate(later, start=1):
            if paise(amount):
                self._insert(
                    place,
                    kind,
                    {
                        **common,
                        "mstAllotmentDistId": str(base),
                        "allotmentAmount": amount,
                        "allotmentTxnSlNo": str(serial),
                        "stamp": f"{year}-04-01 00:00:0{serial}",
                    },
                )

    def _insert(self, place: tuple[str, str, str], kind: str, given: Mapping[str, str]) -> dict[str, str]:
        ddo, hoa, grantee = place
        distribution, amount = given["mstAllotmentDistId"], paise(given["allotmentAmount"])
        when = given.get("stamp", stamp(self._state.now()))
        if kind == INITIAL:
            self._store.run(
                "INSERT INTO fund (distribution, ddo, hoa, grantee, sanctioned, allotted) VALUES (?, ?, ?, ?, ?, ?)",
                distribution,
                ddo,
                hoa,
                grantee,
                paise(given["sanctioned"]),
                amount,
            )
        else:
            change = -amount if kind == WITHDRAWAL else amount
            self._store.run("UPDATE fund SET allotted = allotted + ? WHERE distribution = ?", change, distribution)
        left = self._store.row("SELECT sanctioned - allotted AS balance FROM fund WHERE distribution = ?", distribution)
        document = {
            "ddoCode": ddo,
            "schemeCode": codes.SCHEME_CODE,
            "schemeName": codes.SCHEME_NAME,
            "granteeAgCode": grantee,
            "granteeName": codes.grantee_name(grantee),
            "ssuId": given.get("ssuId", codes.ssu_id(ddo)),
            "ssuOffice": given.get("ssuOffice", codes.ssu_office(ddo)),
            "allotmentDate": given.get("allotmentDate", when[:10]),
            "allotmentTxnSlNo": given.get("allotmentTxnSlNo", self._next_serial(distribution)),
            "allotmentAmount": given["allotmentAmount"],
            "availableBalance": given.get("availableBalance", rupees(left["balance"]) if left else "0.00"),
            "allotmentTxnType": given.get("allotmentTxnType", kind),
            "mstAllotmentDistId": distribution,
            "ssuAllotmentId": given.get("ssuAllotmentId", self._ssu_allotment(distribution)),
        }
        for name, wanted in (("allotmentAmount", AMOUNT), ("allotmentDate", DATE), ("mstAllotmentDistId", TEXT)):
            if not wanted.accepts(document[name]):
                raise ValueError(f"{name} is not {wanted.name}")
        self._store.run(
            "INSERT INTO allotment"
            " (ddo, hoa, grantee, distribution, ssu_allotment, serial, withdrawal, stamp, document)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ddo,
            hoa,
            grantee,
            distribution,
            document["ssuAllotmentId"],
            document["allotmentTxnSlNo"],
            kind == WITHDRAWAL,
            when,
            dump(document),
        )
        return document

    def _next_serial(self, distribution: str) -> str:
        row = self._store.row("SELECT count(*) AS n FROM allotment WHERE distribution = ?", distribution)
        return str(row["n"] if row else 0)

    def _ssu_allotment(self, distribution: str) -> str:
        row = self._store.row("SELECT ssu_allotment FROM allotment WHERE distribution = ?", distribution)
        return str(row["ssu_allotment"]) if row else distribution

    def listed(self) -> list[dict[str, str]]:
        """All sanctions with their amounts in rupees, for the control endpoint."""
        return [
            {
                "mstAllotmentDistId": row["distribution"],
                "ddoCode": row["ddo"],
                "hoa": row["hoa"],
                "granteeAgCode": row["grantee"],
                "allotted": rupees(row["allotted"]),
                "spent": rupees(row["spent"]),
                "available": rupees(row["allotted"] - row["spent"]),
            }
            for row in self._store.rows("SELECT * FROM fund ORDER BY distribution")
        ]
