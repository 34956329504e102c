"""The adapter's API as DIGIT knows it (http-api.md §1 to §5), behind Airflow's login and rights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from ifms.cities import Cities
from ifms.ledger.database import Connection
from ifms.ledger.statuses import PiStatus
from ifms.queries import funds, search, stand_in
from ifms.queries.instruction import load
from ifms.queries.search import Criteria, Order
from ifms.services.correction_order import Order as CorrectionOrder
from ifms_airflow.api import dag_runs, digit
from ifms_airflow.api.access import READ, Entitled, User, require_act, require_start, starts
from ifms_airflow.api.create_instruction import Creator, Unpaid
from ifms_airflow.api.digit import Body, DigitError, Errors, ResponseInfo, Text
from ifms_airflow.api.digit_login import DigitUser
from ifms_airflow.api.read_pool import Ledger

LARGEST_PAGE = 200
FURTHEST = 10_000_000

_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Errors, "description": "What was asked for can't be done; code and message say why"},
    401: {"model": Errors, "description": "Nobody is logged in"},
    403: {"model": Errors, "description": "This user may not do that"},
    404: {"model": Errors, "description": "Airflow does not know the DAG"},
    408: {"model": Errors, "description": "The body did not arrive in time"},
    413: {"model": Errors, "description": "The body is too large"},
    429: {"model": Errors, "description": "Too many requests are under way; Retry-After says when to try again"},
    503: {"model": Errors, "description": "The ledger can't be reached, or is busy"},
}

router = APIRouter(responses=_ANSWERS)


# Payment instructions -------------------------------------------------------------------------------------------------


class Choice(BaseModel):
    """A failed beneficiary who is to be revised: to the other account that the registry has now, or to the same one."""

    model_config = ConfigDict(extra="forbid")

    beneficiaryNumber: Annotated[Text, Field(min_length=1)]
    sameAccount: Annotated[bool, Field(strict=True)] = Field(
        False, description="To the account that failed, on purpose; the caller's name goes into the status log"
    )


_CHOICES: TypeAdapter[list[Choice]] = TypeAdapter(Annotated[list[Choice], Field(min_length=1, max_length=10_000)])


class CreateBody(Body):
    """One of: a payment's number, a PI to revise (or a revision of it), a whole payment. The first given counts."""

    tenantId: Text | None = None
    referenceId: Text | None = None
    parentPI: Text | None = None
    payment: dict[str, Any] | None = None
    beneficiaries: Annotated[Any, WithJsonSchema(_CHOICES.json_schema())] = Field(
        None,
        description="With parentPI: exactly whom to revise. Without: all who have another account now. Else ignored.",
    )


class NotRevised(BaseModel):
    """A failed beneficiary who is not in the revised PI, and why: it can be in a later one."""

    beneficiaryNumber: str
    beneficiaryId: str
    reason: str


class CreateAnswer(BaseModel):
    """The PI; whether the treasury has taken it says its piStatus."""

    ResponseInfo: ResponseInfo
    paymentInstruction: dict[str, Any]
    notRevised: list[NotRevised] | None = Field(None, description="With parentPI: who has failed and is not in it")


@router.post(
    "/pi/v1/_create",
    dependencies=[starts("ifms_pi", "ifms_cor")],
    summary="A PI for a payment, or a revised PI",
    response_model=CreateAnswer,
    response_model_exclude_unset=True,
)
def create(body: CreateBody, user: User, given: Entitled, request: Request) -> dict[str, Any]:
    """Written first, then sent, then recorded; a caller who has waited long enough is told of the PENDING PI."""
    creator: Creator = request.app.state.creator
    tenant, reference = body.tenantId, body.referenceId
    if not reference and not body.parentPI and body.payment is not None:
        tenant, reference = _of_payment(body.payment)
    if not tenant or not (reference or body.parentPI):
        raise DigitError(
            "PI_REQUEST_INVALID_PARAMS",
            "give tenantId with referenceId (a payment's number) or parentPI (an original PI's), or a payment",
        )
    answer: dict[str, Any] = {"ResponseInfo": body.response_info()}
    if reference:
        require_start(user, given, "ifms_pi")
        if tenant not in given.read:  # as of a payment that does not exist
            raise DigitError("PAYMENT_NOT_FIND_ERROR", f"payment {reference} of {tenant} does not exist")
        require_act(given, tenant)
        dag_runs.note(user, "create", dag_id="ifms_pi", tenant_id=tenant, payment=reference)
        made = creator.pay(tenant, reference, user.get_name(), _person(user))
        document = (
            stand_in.document(made.payment) if isinstance(made, Unpaid) else digit.instruction(made, created=True)
        )
        return answer | {"paymentInstruction": document}
    require_start(user, given, "ifms_cor")
    if tenant not in given.read:
        raise DigitError("REVISED_PI_GEN_ERROR", f"PI {body.parentPI} of {tenant} does not exist")
    require_act(given, tenant)
    order = _order(tenant, creator.original_of(tenant, body.parentPI or ""), body.beneficiaries, user.get_name())
    dag_runs.note(
        user,
        "revise",
        dag_id="ifms_cor",
        tenant_id=tenant,
        pi_number=order.pi_number,
        beneficiaries=order.beneficiary_numbers,
        same_account=order.same_account,
    )
    revised = creator.revise(order, _person(user))
    return answer | {
        "paymentInstruction": digit.instruction(revised.whole, created=True),
        "notRevised": [
            {"beneficiaryNumber": n.beneficiary_number, "beneficiaryId": n.beneficiary_id, "reason": n.reason}
            for n in revised.left_out
        ],
    }


def _person(user: BaseUser) -> str:
    """Who DIGIT is told has made a PI: one of its own users by their uuid, another one by name."""
    return user.uuid if isinstance(user, DigitUser) else user.get_name()


def _order(tenant: str, parent: str, beneficiaries: object, by: str) -> CorrectionOrder:
    """What is to be corrected. Raises DigitError for a choice that is no list of choices."""
    if beneficiaries is None:
        return CorrectionOrder(tenant, parent, by=by)
    try:
        choices = _CHOICES.validate_python(beneficiaries)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("beneficiaries", *first["loc"]))
        raise DigitError("PI_REQUEST_INVALID_PARAMS", f"{where}: {first['msg']}; nobody was revised") from None
    return CorrectionOrder(
        tenant,
        parent,
        tuple(each.beneficiaryNumber for each in choices if not each.sameAccount),
        same_account=tuple(each.beneficiaryNumber for each in choices if each.sameAccount),
        by=by,
    )


def _of_payment(payment: dict[str, Any]) -> tuple[str | None, str | None]:
    """Tenant and number of a payment given as a whole: what is paid is what the platform has under this number."""
    tenant, number = payment.get("tenantId"), payment.get("paymentNumber")
    if not isinstance(tenant, str) or not isinstance(number, str) or "\x00" in tenant + number:
        raise DigitError("PI_REQUEST_INVALID_PARAMS", "the payment has no tenantId or no paymentNumber")
    return tenant, number


Limit = Annotated[int, Field(ge=0, le=1_000_000, description="How many; more than 200 are given as 200")]
Offset = Annotated[int, Field(ge=0, le=FURTHEST)]


class SearchCriteria(BaseModel):
    """At least one of ids, piNumber, muktaReferenceId, piStatus, tenantId."""

    model_config = ConfigDict(extra="ignore")

    ids: list[Text] | None = Field(None, max_length=1000)
    tenantId: Text | None = None
    piStatus: Text | None = None
    muktaReferenceId: Text | None = None
    piNumber: Text | None = None
    piNumbers: list[Text] | None = Field(None, max_length=1000)
    parentPiNumber: Text | None = None
    billNumber: Text | None = None
    isActive: bool | None = None
    piType: Literal["ORIGINAL", "REVISED"] | None = None
    limit: Limit | None = None
    offset: Offset | None = None
    after: Text | None = Field(None, description="`next` of the page before: the way through many, however deep")
    sortBy: Text | None = None
    sortOrder: Text | None = None


class SearchBody(Body):
    """A search for PIs."""

    searchCriteria: SearchCriteria


class SearchAnswer(BaseModel):
    """The PIs of the page; limits, offsets and totals count PIs."""

    ResponseInfo: ResponseInfo
    paymentInstructions: list[dict[str, Any]]
    totalCount: int
    totalCountIsMinimum: bool = Field(description="There are more than totalCount; nobody has counted how many")
    next: str | None = Field(description="`after` of the next page; null at the end")


@router.post("/pi/v1/_search", dependencies=[READ], summary="Search PIs", response_model=SearchAnswer)
def search_instructions(body: SearchBody, given: Entitled, ledger: Ledger) -> dict[str, Any]:
    """The newest first, 100 of them at most unless a limit says otherwise."""
    asked = body.searchCriteria
    status = asked.piStatus if asked.piStatus in set(PiStatus) else None
    if not any(
        each is not None for each in (asked.ids, asked.piNumber, asked.muktaReferenceId, status, asked.tenantId)
    ):
        raise DigitError("SEARCH_CRITERIA_MANDATORY", "Atleast one search parameter should be provided")
    numbers = None if asked.piNumbers is None else set(asked.piNumbers)
    if asked.piNumber is not None:
        numbers = {asked.piNumber} if numbers is None else numbers & {asked.piNumber}
    criteria = Criteria(
        ids=_ids(asked.ids),
        tenant_id=asked.tenantId,
        status=status,
        payment_number=asked.muktaReferenceId,
        pi_numbers=None if numbers is None else sorted(numbers),
        parent_pi_number=asked.parentPiNumber,
        bill_number=asked.billNumber,
        is_active=asked.isActive,
        pi_type=asked.piType,
        order=Order.CHANGED if asked.sortBy == "lastModifiedTime" else Order.CREATED,
        ascending=(asked.sortOrder or "").upper() == "ASC",
        limit=_limit(asked.limit),
        offset=asked.offset or 0,
        after=asked.after,
    )
    with ledger.connection() as connection:
        found, total, following = _found(connection, criteria, given.read)
    return {
        "ResponseInfo": body.response_info(),
        "paymentInstructions": found,
        "totalCount": min(total, search.COUNT_LIMIT),
        "totalCountIsMinimum": total > search.COUNT_LIMIT,
        "next": following,
    }


def _found(connection: Connection, criteria: Criteria, cities: Cities) -> tuple[list[dict[str, Any]], int, str | None]:
    """A page of what is found, how much there is in all, and the next page's cursor.

    Payments that have no PI come first, where the search is one that they answer.
    """
    everything = replace(criteria, after=None)
    total = search.count(connection, everything, cities)
    first: list[dict[str, Any]] = []
    if stand_in.wanted(everything):
        waiting = stand_in.count(connection, everything, cities)
        total += waiting
        if stand_in.wanted(criteria):  # the page begins among them
            rows = stand_in.find(connection, criteria, cities)
            first = [stand_in.document(row) for row in rows]
            if rows and len(rows) == criteria.limit:
                return first, total, f"{stand_in.AFTER}{rows[-1]['id']}"
            already = 0 if criteria.after is not None else min(waiting, criteria.offset)
            criteria = replace(everything, limit=criteria.limit - len(rows), offset=criteria.offset - already)
    page = search.find(connection, criteria, cities)
    whole = load(connection, [line.id for line in page.lines], cities)
    return first + [digit.instruction(each) for each in whole], total, page.next


# Funds ----------------------------------------------------------------------------------------------------------------


class FundsCriteria(BaseModel):
    """At least one of ids, hoaCode, ddoCode, masterAllotmentId, tenantId."""

    model_config = ConfigDict(extra="ignore")

    ids: list[Text] | None = Field(None, max_length=1000)
    tenantId: Text | None = None
    hoaCode: Text | None = None
    ddoCode: Text | None = None
    masterAllotmentId: Text | None = None
    limit: Limit | None = None
    offset: Offset | None = None
    sortBy: Text | None = None
    sortOrder: Text | None = None


class FundsBody(Body):
    """A search for sanctions."""

    searchCriteria: FundsCriteria


class FundsAnswer(BaseModel):
    """The sanctions of the page, each with all of its allotments."""

    ResponseInfo: ResponseInfo
    funds: list[dict[str, Any]]
    totalCount: int


@router.post("/funds/v1/_search", dependencies=[READ], summary="Search sanctions", response_model=FundsAnswer)
def search_funds(body: FundsBody, given: Entitled, ledger: Ledger) -> dict[str, Any]:
    """The last changed first; limits and offsets count sanctions."""
    asked = body.searchCriteria
    criteria = funds.SanctionCriteria(
        ids=_ids(asked.ids),
        tenant_id=asked.tenantId,
        hoa_code=asked.hoaCode,
        ddo_code=asked.ddoCode,
        master_allotment_id=asked.masterAllotmentId,
        ascending=(asked.sortOrder or "").upper() == "ASC",
        limit=_limit(asked.limit),
        offset=asked.offset or 0,
    )
    if not criteria.narrows:
        raise DigitError("SEARCH_CRITERIA_MANDATORY", "Atleast one search parameter should be provided")
    with ledger.connection() as connection:
        rows, total = funds.sanctions(connection, criteria, given.read)
    return {
        "ResponseInfo": body.response_info(),
        "funds": [digit.sanction(row) for row in rows],
        "totalCount": total,
    }


# The scheduler --------------------------------------------------------------------------------------------------------

DAGS = {service: f"ifms_{service.lower()}" for service in ("PA", "VA", "PIS", "PAG", "PD", "FD", "FTPS", "FTFPS")}
BY_THEMSELVES = ("PI", "COR")
"""Accepted, and nothing happens (http-api.md §4): ifms_pi starts by itself, ifms_cor by a person."""


class SchedulerBody(Body):
    """What cron sends."""


class SchedulerAnswer(ResponseInfo):
    """A ResponseInfo that also says which DAG run does it."""

    dagId: str | None
    dagRunId: str | None
    state: str | None


def schedule(
    body: SchedulerBody,
    user: User,
    given: Entitled,
    ledger: Ledger,
    serviceId: Annotated[Text | None, Query(description="PA, VA, PIS, PAG, PD, FD, FTPS, FTFPS")] = None,
) -> dict[str, Any]:
    """Start the service's DAG, for all cities; a run of it that waits to begin is not followed by another."""
    if not isinstance(about := body.RequestInfo.get("userInfo"), dict) or not about.get("uuid"):
        raise DigitError("REQUEST_INFO_INVALID", "RequestInfo.userInfo.uuid is missing")
    if serviceId in BY_THEMSELVES:
        require_start(user, given, f"ifms_{serviceId.lower()}")
        return body.response_info() | {"dagId": None, "dagRunId": None, "state": None}
    if serviceId not in DAGS:
        raise DigitError("SERVICE_ID_INVALID", f"serviceId is none of {', '.join((*DAGS, *BY_THEMSELVES))}")
    dag_id = DAGS[serviceId]
    require_start(user, given, dag_id)
    require_act(given, None)
    run = dag_runs.waiting(dag_id, ledger) or dag_runs.start(user, given, dag_id, "scheduler", {})
    return body.response_info() | {"dagId": run.dag_id, "dagRunId": run.run_id, "state": run.state}


for _path, _name in (("/_scheduler", "scheduler"), ("/scheduler", "scheduler_by_its_documented_name")):
    router.post(
        _path,
        name=_name,
        dependencies=[starts(*DAGS.values(), *(f"ifms_{each.lower()}" for each in BY_THEMSELVES))],
        summary="Start a service's DAG",
        response_model=SchedulerAnswer,
    )(schedule)


def _limit(limit: int | None) -> int:
    return 100 if limit is None else min(limit, LARGEST_PAGE)


def _ids(ids: Sequence[str] | None) -> list[UUID] | None:
    """The ids that can be some row's; any other text is nobody's id, and finds nothing."""
    if ids is None:
        return None
    found = []
    for each in ids:
        try:
            found.append(UUID(each))
        except ValueError:
            continue
    return found
