"""The envelope around every message: `{"serviceId","params"}` there, `{"serviceId","errorMsg",…,"data"}` back.

treasury-jit.md §1. What is inside for one service is that service's module's matter; the types that all of them use
for a reply's and a request's values are here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from ifms.clock import wire_date, wire_datetime
from ifms.errors import BadInputError, WireError
from ifms.money import positive_rupees, rupees, wire_amount
from ifms.strict_json import decode
from ifms.wire.bank import mask_long_numbers, quoted

MAX_TEXT = 10_000  # of what people read
MAX_KEY = 128  # of what something is named by: several of them fit into a row of an index, in any script
_YEARS = range(2000, 2100)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})( \d{2}:\d{2}:\d{2}(\.\d+)?)?", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # neither PostgreSQL nor UTF-8 takes them


class Service(StrEnum):
    """The treasury's service codes (treasury-jit.md §2)."""

    VA = "VA"
    PI = "PI"
    PIS = "PIS"
    PAG = "PAG"
    PD = "PD"
    FD = "FD"
    COR = "COR"
    FTPS = "FTPS"
    FTFPS = "FTFPS"


# Replies --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplyError:
    """One error of a reply: the treasury's code, if it gave one, and its text.

    `str()` and `repr()` mask every number that is long enough for an account; `message` is verbatim, for the database.
    """

    code: str | None
    message: str = field(repr=False)

    def __str__(self) -> str:
        text = mask_long_numbers(self.message)
        return f"{self.code}: {text}" if self.code else text

    def __repr__(self) -> str:
        return f"ReplyError({str(self)!r})"


@dataclass(frozen=True)
class Reply:
    """A decrypted reply, not yet read as a service's rows. No errors and no data means: no news."""

    service_id: str | None
    errors: tuple[ReplyError, ...] = ()
    data: list[dict[str, Any]] = field(default_factory=list, repr=False)


def parse_reply(plain: bytes | str) -> Reply:
    """The reply in a decrypted JSON text.

    `errorMsg` and `errorMsgs` both count as errors; `data` null or absent is empty; unknown fields are ignored.
    Numbers become int or Decimal, never float. Raises WireError for anything that is not this envelope, without
    quoting from it.
    """
    try:
        document = decode(plain)
    except ValueError as error:
        raise WireError(f"the reply can't be read: {error}") from None
    if not isinstance(document, dict):
        raise WireError(f"the reply is a JSON {type(document).__name__}, not an object")
    service_id = document.get("serviceId")
    if service_id is not None and not isinstance(service_id, str):
        raise WireError(f"the reply's serviceId is a {type(service_id).__name__}, not a text")
    return Reply(
        service_id=None if service_id is None else _storable(service_id.strip()),
        errors=_errors(document),
        data=_data(document.get("data")),
    )


def _errors(document: dict[str, Any]) -> tuple[ReplyError, ...]:
    errors: list[ReplyError] = []
    single, several = document.get("errorMsg"), document.get("errorMsgs")
    if single is not None and not isinstance(single, str):
        raise WireError(f"the reply's errorMsg is a {type(single).__name__}, not a text")
    if single and single.strip():
        text = single.strip()
        errors.append(ReplyError(None, _storable(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…")))
    if several is not None and not isinstance(several, list):
        raise WireError(f"the reply's errorMsgs is a {type(several).__name__}, not a list")
    errors.extend(_listed_error(item) for item in several or ())
    return tuple(errors)


def _listed_error(item: object) -> ReplyError:
    if not isinstance(item, dict):
        raise WireError(f"an entry of the reply's errorMsgs is a {type(item).__name__}, not an object")
    code, message = item.get("errorCode"), item.get("errorMsg")
    try:
        code = None if code is None else _text(code).strip()
        message = "" if message is None else _text(message).strip()
    except ValueError:
        raise WireError("an entry of the reply's errorMsgs holds something else than texts") from None
    return ReplyError(_storable(code) if code else None, _storable(message) or "(the treasury gave no text)")


def _data(data: object) -> list[dict[str, Any]]:
    if data is None:
        return []
    if not isinstance(data, list):
        raise WireError(f"the reply's data is a {type(data).__name__}, not a list")
    for row in data:
        if not isinstance(row, dict):
            raise WireError(f"a row of the reply's data is a {type(row).__name__}, not an object")
    return data


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _text(value: object, longest: int = MAX_TEXT) -> str:
    """A reply's value as text: the treasury writes texts, a number is taken too; ValueError for anything else."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise ValueError("holds a character that can't be stored")
        text = value
    elif isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("is neither a text nor a number")
    else:
        text = str(value)
    if len(text) > longest:
        raise ValueError(f"is longer than {longest} characters")
    return text


def _stripped(value: object) -> str:
    return _text(value, MAX_KEY).strip()


def _note(value: object) -> str | None:
    return None if value is None else _text(value).strip() or None


def _required(value: object) -> str:
    text = _stripped(value)
    if not text:
        raise ValueError("is empty")
    return text


def _echoed(value: object) -> str:
    """A text that a later request must give back: what could not be sent is not taken."""
    return _sent_text(_required(value))


def _optional(value: object) -> str | None:
    return None if value is None else _stripped(value) or None


def _amount(value: object) -> Decimal:
    try:
        return rupees(_required(value), "it")
    except BadInputError as error:  # as the field's fault, which is named
        raise ValueError(mask_long_numbers(str(error))) from None


def _optional_amount(value: object) -> Decimal | None:
    return None if _optional(value) is None else _amount(value)


def _day(value: object) -> date:
    text = _required(value)
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError("is not a date as yyyy-MM-dd")
    return _sane_day(date.fromisoformat(match[1]))


def _optional_day(value: object) -> date | None:
    return None if _optional(value) is None else _day(value)


# What a reply's row is made of. The texts are as the treasury sent them, but for blanks around them; a note is what
# people read. All have bounds within which the ledger can hold them and reckon with them.
RequiredText = Annotated[str, BeforeValidator(_required)]
EchoedText = Annotated[str, BeforeValidator(_echoed)]
OptionalText = Annotated[str | None, BeforeValidator(_optional)]
OptionalNote = Annotated[str | None, BeforeValidator(_note)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
OptionalAmount = Annotated[Decimal | None, BeforeValidator(_optional_amount)]
Day = Annotated[date, BeforeValidator(_day)]
OptionalDay = Annotated[date | None, BeforeValidator(_optional_day)]


class Row(BaseModel):
    """The base of a reply's rows: read by wire name, unknown fields ignored, immutable.

    `named_by`: the wire names of what a row that can't be read is named by, where a reply is about many things.
    `about_each`: the wire name of its list of which each entry is about somebody else.
    """

    named_by: ClassVar[tuple[str, ...]] = ()
    about_each: ClassVar[str | None] = None

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )


RowT = TypeVar("RowT", bound=Row)


def parse_rows(model: type[RowT], reply: Reply) -> list[RowT]:
    """Every row of `reply` as `model`.

    Raises WireError that names the service, the row and the field, never the value, for the first row that is not as
    the contract says.
    """
    return [_parse_row(model, reply, number) for number in range(len(reply.data))]


def parse_each(model: type[RowT], reply: Reply) -> tuple[list[RowT], list[WireError]]:
    """The rows of `reply` that read as `model`, and one WireError for each that doesn't.

    For replies about many PIs at once (VA, FD): one bad row must not keep the others from being heard. Nor a bad entry
    of its list that is `about_each`: the row is given without it, and there is a WireError for it.
    """
    rows: list[RowT] = []
    faults: list[WireError] = []
    for number in range(len(reply.data)):
        try:
            rows.append(_parse_row(model, reply, number))
        except WireError as fault:
            readable, theirs = _without_bad_entries(model, reply, number)
            rows += readable
            faults += theirs or [fault]
    return rows, faults


def _without_bad_entries(model: type[RowT], reply: Reply, number: int) -> tuple[list[RowT], list[WireError]]:
    """A row without those entries of its list that can't be read, and why not; nothing where anything else is wrong."""
    row, name = reply.data[number], model.about_each
    entries = row.get(name) if name is not None else None
    if name is None or not isinstance(entries, list):
        return [], []
    good: list[object] = []
    faults: list[WireError] = []
    for place, entry in enumerate(entries):
        try:
            _parse_row(model, reply, number, row | {name: [entry]}, f", {name}[{place}]")
        except WireError as fault:
            faults.append(fault)
        else:
            good.append(entry)
    try:
        return [_parse_row(model, reply, number, row | {name: good})], faults
    except WireError:
        return [], []


def _parse_row(
    model: type[RowT], reply: Reply, number: int, row: dict[str, Any] | None = None, entry: str = ""
) -> RowT:
    """A row as `model`, or that row made otherwise; `entry` says which of its entries it is about."""
    row = reply.data[number] if row is None else row
    values = {key: row[key] for key in model.named_by if isinstance(row.get(key), (str, int))}
    names = ", ".join(f"{key} {quoted(value)}" for key, value in values.items() if value)
    service = mask_long_numbers((reply.service_id or "unnamed")[:20])
    where, which = f"row {number + 1} of the {service} reply{entry}", f" ({names})" if names else ""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise WireError(f"{where}: {_first_fault(error)}{which}") from None
    except BadInputError as error:
        raise WireError(f"{where}: {mask_long_numbers(str(error))}{which}") from None


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    message = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}"


# Requests -------------------------------------------------------------------------------------------------------------


class WireRequest(Protocol):
    """What the client needs of a request; every `Request` is one."""

    service: ClassVar[Service]

    @property
    def bill_number(self) -> str | None:
        """The PI number the call is about, for the call log; None for a bulk call."""

    def to_wire(self) -> str:
        """The plain JSON text that is encrypted and sent."""


def _sent_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if value != value.strip() or not value:
        raise ValueError("is empty, or has blanks around it")
    if len(value) > 256 or not value.isprintable():
        raise ValueError("is longer than 256 characters, or has characters that can't be printed")
    return value


def _sane_instant(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise ValueError(f"is not between {_YEARS.start} and {_YEARS.stop}")
    return value


def _sane_day(value: date) -> date:
    if value.year not in _YEARS:
        raise ValueError(f"is not between {_YEARS.start} and {_YEARS.stop}")
    return value


# What a request is made of. Our own instants are sent in IST, whatever zone they come in; dates that the treasury gave
# us go back as the text they came as.
SentText = Annotated[str, BeforeValidator(_sent_text)]
SentAmount = Annotated[Decimal, BeforeValidator(positive_rupees), PlainSerializer(wire_amount, return_type=str)]
SentDateTime = Annotated[AwareDatetime, AfterValidator(_sane_instant), PlainSerializer(wire_datetime, return_type=str)]
SentDate = Annotated[AwareDatetime, AfterValidator(_sane_instant), PlainSerializer(wire_date, return_type=str)]
SentDay = Annotated[date, Field(strict=True), AfterValidator(_sane_day)]


class Sent(BaseModel):
    """The base of everything that is sent; built by snake_case name, written by wire name, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _typed_errors(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        """What a field refuses becomes a BadInputError that names it, without its value."""
        try:
            return handler(data)
        except ValidationError as error:
            raise BadInputError(f"{cls.__name__}: {_first_fault(error)}") from None


class Request(Sent):
    """The base of the nine requests. Raises BadInputError, when built, for a value that must not be sent."""

    service: ClassVar[Service]

    @property
    def bill_number(self) -> str | None:
        """The PI number the call is about, for the call log; None for a bulk call."""
        return None

    def to_wire(self) -> str:
        """The plain JSON text that is encrypted and sent; the same request always gives the same text."""
        return f'{{"serviceId":"{self.service}","params":{self.model_dump_json(by_alias=True)}}}'
