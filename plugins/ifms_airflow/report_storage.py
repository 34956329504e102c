"""Where made reports are kept: a folder or an object storage, and in it one folder for each time they are as of.

Only what has the name of a report that this package makes is listed or opened, and no link is followed.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifms import clock
from ifms.cities import Cities, label
from ifms.errors import ReportSourceError, ReportTargetError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

REPORTS = (
    "fund_register",
    "payment_ageing",
    "failure_reasons",
    "reconciliation",
    "response_times",
    "amounts_transferred",
    "bank_transfers",
    "project_payments",
    "payments_by_group",
)
"""The names of reports; the same as in `ifms.reports.catalogue`, which no DAG file loads."""
FORMATS = ("xlsx", "csv", "pdf")

FOLDERS_AT_ONCE = 100
"""So many folders are looked into for one page: each is a question to an object storage."""

_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}", re.ASCII)
_STEM = re.compile(
    rf"(?P<report>{'|'.join(REPORTS)})_(?P<period>all|\d{{4}}-\d{{2}}(?:-\d{{2}}(?:_\d{{4}}-\d{{2}}-\d{{2}})?)?)"
    r"_(?P<about>[A-Za-z0-9][A-Za-z0-9._-]{0,200})",
    re.ASCII,
)
_CHUNK = 1024 * 1024
_AS_OF = "%Y-%m-%dT%H%M%S"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a page of the list begins: in this folder, after the reports up to `stem`."""

    folder: str
    stem: str = ""


@dataclass(frozen=True)
class MadeReport:
    """A report that was made, in each of its formats."""

    folder: str
    stem: str
    report: str
    period: str
    about: tuple[str, ...]
    """Cities, head of account and transaction type, as the file's name has them."""
    files: dict[str, int] = field(default_factory=dict)
    """How many bytes, by format."""

    @property
    def as_of(self) -> datetime:
        """Of which instant it speaks."""
        return _instant(self.folder)


def location(path: str | None) -> str:
    """Where the place is: as it is said, or the folder `reports` of AIRFLOW_HOME."""
    return path or str(Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / "reports")


def root(path: str | None) -> ObjectStoragePath:
    """The place itself: a folder or any URL that ObjectStoragePath takes."""
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(location(path))


def opened(path: str | None, folder: str) -> ObjectStoragePath:
    """A folder of the place, to write into; made if it is not there. Raises ReportTargetError when it can't be."""
    try:
        there = root(path) / folder
        there.fs.makedirs(there.path, exist_ok=True)
        if there.protocol in ("", "file", "local") and not os.access(there.path, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except Exception as error:  # each kind of storage has its own
        raise ReportTargetError.of(location(path), error) from None
    return there


def folder_name(as_of: datetime) -> str:
    """The name of the folder for reports as of this instant."""
    return f"{clock.to_ist(as_of):{_AS_OF}}"


def is_made(folder: str, name: str, readable: Sequence[Cities]) -> bool:
    """Whether a file of this name in this folder can be one of ours, of cities that are `readable`.

    A name says up to three cities by themselves, and of more which set of cities it is: one of `readable` then, whole.
    """
    stem, _, kind = name.rpartition(".")
    told = _STEM.fullmatch(stem)
    return kind in FORMATS and told is not None and _is_folder(folder) and _is_of(told["about"], readable)


def _is_of(about: str, readable: Sequence[Cities]) -> bool:
    told = about.partition("_")[0]
    for cities in readable:
        if cities.listed is None:
            return True
        if told == label(cities.listed) or ("." in told and cities.cover(told.split("-"))):
            return True
    return False


def listed(
    path: str | None, *, most: int, cities: Sequence[Cities], place: Place | None = None, until: str = ""
) -> tuple[list[MadeReport], Place | None]:
    """The latest made reports of these cities, at most so many, and where the next page begins; None: there is none.

    `until` is a day like 2026-11-28: nothing as of later days. Raises ReportSourceError when the place can't be read.
    """
    with _readable():
        place_of_all = root(path)
        folders = [name for name, entry in _entries(place_of_all) if entry["type"] == "directory" and _is_folder(name)]
        folders = sorted(
            (name for name in folders if (not place or name <= place.folder) and (not until or name[:10] <= until)),
            reverse=True,
        )
        found: list[MadeReport] = []
        for number, folder in enumerate(folders):
            if number == FOLDERS_AT_ONCE:
                return found, Place(folder)
            after = place.stem if place and place.folder == folder else ""
            for report in _in_folder(place_of_all, folder, cities):
                if report.stem <= after:
                    continue
                if len(found) == most:
                    last = found[-1]
                    return found, Place(folder, last.stem if last.folder == folder else "")
                found.append(report)
        return found, None


def read(path: str | None, folder: str, name: str) -> Iterator[bytes]:
    """A made report's file, a part at a time.

    Raises FileNotFoundError when there is none, ReportSourceError when it can't be read.
    """
    with _readable():
        if not is_made(folder, name, [Cities.ALL]):  # whose, the caller has looked at
            raise FileNotFoundError(name)
        there = root(path) / folder
        store, target = there.fs, (there / name).path
        store.invalidate_cache()  # others write there
        for part, kind in ((there.path, "directory"), (target, "file")):
            entry = store.info(part)
            if entry["type"] != kind or entry.get("islink"):
                raise FileNotFoundError(name)
        with store.open(target, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _in_folder(there: ObjectStoragePath, folder: str, cities: Sequence[Cities]) -> list[MadeReport]:
    """The folder's reports by name, their formats together."""
    found: dict[str, MadeReport] = {}
    for name, entry in _entries(there / folder):
        if entry["type"] != "file" or entry.get("islink") or not is_made(folder, name, cities):
            continue
        stem, _, kind = name.rpartition(".")
        told = _STEM.fullmatch(stem)
        assert told is not None
        about = tuple(told["about"].split("_"))
        made = found.setdefault(stem, MadeReport(folder, stem, told["report"], told["period"], about))
        made.files[kind] = int(entry["size"] or 0)
    return [found[stem] for stem in sorted(found)]


def _entries(folder: ObjectStoragePath) -> list[tuple[str, dict[str, Any]]]:
    """What is in a folder, by name; nothing when it isn't there."""
    folder.fs.invalidate_cache()  # others write there
    try:
        entries = folder.fs.ls(folder.path, detail=True)
    except FileNotFoundError:
        return []
    return [(entry["name"].rstrip("/").rpartition("/")[2], entry) for entry in entries]


def _is_folder(name: str) -> bool:
    if _FOLDER.fullmatch(name) is None:
        return False
    try:
        return bool(_instant(name))
    except ValueError:
        return False


def _instant(folder: str) -> datetime:
    return datetime.strptime(folder, _AS_OF).replace(tzinfo=clock.IST)


@contextmanager
def _readable() -> Iterator[None]:
    """Raises ReportSourceError for whatever the storage says; its own words, which may quote an address, are logged."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # each kind of storage has its own
        log.exception("made reports can't be read")
        raise ReportSourceError(
            f"the place of made reports (IFMS_REPORTS_PATH) can't be read: {type(error).__name__}; "
            "the log of Airflow's API server says more"
        ) from None


def put(file: Path, folder: ObjectStoragePath, name: str) -> None:
    """Copy a file into the storage under a passing name, and give it its own when it is whole there."""
    store, target = folder.fs, (folder / name).path
    passing = (folder / f".{name}.{secrets.token_hex(4)}.part").path
    try:
        store.put_file(str(file), passing)
        store.mv(passing, target)
    except Exception as error:  # each kind of storage has its own
        if store.exists(passing):
            store.rm_file(passing)
        raise ReportTargetError.of(folder, error) from None
