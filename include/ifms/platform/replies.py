"""Reading the replies of DIGIT services: rows, models, pages, masters; each with an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ifms.errors import PlatformReplyError
from ifms.platform.models import MAX_KEY, Model
from ifms.wire.bank import mask_long_numbers

_M = TypeVar("_M", bound=Model)

MAX_PAGES = 10_000  # no search of one tenant comes near it; without it a mad service could keep us for ever


def as_object(reply: object, service: str, tenant_id: str) -> dict[str, Any]:
    """The reply as an object. Raises PlatformReplyError when it is none."""
    if not isinstance(reply, dict):
        raise PlatformReplyError(f"{service} for {tenant_id}: the reply is not a JSON object")
    return reply


def rows_of(reply: Mapping[str, Any], key: str, service: str, tenant_id: str) -> list[Any]:
    """The list under `key` in a reply. Raises PlatformReplyError when it is missing."""
    rows = reply.get(key)
    if not isinstance(rows, list):
        raise PlatformReplyError(f"{service} for {tenant_id}: {key} is missing")
    return rows


def models_of(model: type[_M], rows: Iterable[object], path: str, service: str, tenant_id: str) -> list[_M]:
    """The rows as models; `path` is where they stand. Raises PlatformReplyError that names the first that is none."""
    return [model_of(model, row, f"{path}[{place}]", service, tenant_id) for place, row in enumerate(rows)]


def model_of(model: type[_M], row: object, path: str, service: str, tenant_id: str) -> _M:
    """The row as a model. Raises PlatformReplyError that names its field, and quotes nothing of it but its id."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in (path, *first["loc"]))
        row_id = printable(str(row.get("id")))[:64] if isinstance(row, dict) else None
        raise PlatformReplyError(f"{service} for {tenant_id}: {field} ({first['msg']}), id {row_id}") from None


def printable(text: str) -> str:
    """A service's text as an error may quote it: no account number, and only what a log and the ledger can take."""
    return mask_long_numbers("".join(each if each.isprintable() else "\ufffd" for each in text))


def pages(search: Callable[[int], list[Any]], size: int, service: str, tenant_id: str) -> Iterator[Any]:
    """Yield the rows of all pages until a short one.

    A full page that repeats the one before would go on for ever: the service doesn't heed the offset.
    """
    before: list[Any] = []
    for page in range(MAX_PAGES):
        rows = search(page * size)
        if rows and rows == before:
            raise PlatformReplyError(f"{service} for {tenant_id}: page {page + 1} repeats the one before")
        yield from rows
        if len(rows) < size:
            return
        before = rows
    raise PlatformReplyError(f"{service} for {tenant_id}: more than {MAX_PAGES} pages of {size}")


def unique(values: Iterable[str]) -> list[str]:
    """The distinct values, in order."""
    return list(dict.fromkeys(values))


def chunks(values: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the distinct values, at most `size` at a time."""
    rest = iter(unique(values))
    while chunk := list(islice(rest, size)):
        yield chunk


_FLAG = TypeAdapter(bool)


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row of a master that can't be read: what it says (nothing when it is no object), and what is wrong with it."""

    row: Mapping[str, Any]
    fault: str

    @property
    def is_active(self) -> bool:
        """Whether it may be in use: it is, unless it says clearly that it is not."""
        try:
            return _FLAG.validate_python(self.row.get("active"))
        except ValidationError:
            return True


class Masters:
    """The masters of one MDMS reply; a master that it lacks is absent (digit-services.md §10)."""

    def __init__(self, modules: Mapping[str, Any], service: str, tenant_id: str) -> None:
        self._modules = modules
        self._service = service
        self._tenant_id = tenant_id

    def models(
        self, module: str, master: str, model: type[_M], *, optional: bool = False
    ) -> tuple[list[_M], list[UnreadRow]]:
        """The rows of a master, and those that can't be read, which are nobody else's trouble.

        Raises PlatformReplyError when the master is missing, unless it is `optional`.
        """
        masters = self._modules.get(module)
        rows = masters.get(master) if isinstance(masters, dict) else None
        if rows is None and optional:
            return [], []
        path = f"MdmsRes.{module}.{master}"
        if not isinstance(rows, list):
            raise PlatformReplyError(f"{self._service} for {self._tenant_id}: {path} is missing")
        found: list[_M] = []
        unread: list[UnreadRow] = []
        for place, row in enumerate(rows):
            try:
                found.append(model_of(model, row, f"{path}[{place}]", self._service, self._tenant_id))
            except PlatformReplyError as error:
                said = row if isinstance(row, dict) else {}
                code = "".join(each if each.isprintable() else "\ufffd" for each in str(said.get("code")))[:MAX_KEY]
                unread.append(UnreadRow(said, f"{error}, code {code}"))
        return found, unread
