"""Payment instructions: the list, one of them, what can be done about it (user-stories.md §10 to §12)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as day_time
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError

from ifms import clock
from ifms.cities import Cities
from ifms.errors import BadInputError, ConflictError, CorrectionRefusedError, SealError
from ifms.ledger import saved_searches
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act, Proposal
from ifms.ledger.statuses import PiStatus
from ifms.queries import funds, names, search, waiting
from ifms.queries.health import problems_of_run
from ifms.queries.instruction import (
    Around,
    Outcome,
    Row,
    Whole,
    account_numbers,
    around,
    by_number,
    corrected_as,
    outcomes,
)
from ifms.queries.search import Criteria, Line, Order
from ifms.reports.files import sheets
from ifms.services.correction_order import Order as CorrectionOrder
from ifms.services.correction_order import needed, parameters_of
from ifms.services.instruction_draft import NOTHING_TO_PAY
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import (
    INSTRUCTIONS,
    READ,
    Entitled,
    Unmasked,
    User,
    may_start,
    require_act,
    require_start,
    sees_accounts,
    starts,
)
from ifms_airflow.api.digit import Text
from ifms_airflow.api.exports import CSV, REPORTS, XLSX, Exporting, TooManyRowsError, Work
from ifms_airflow.api.forms import Reason, Token, see_other
from ifms_airflow.api.messages import english, t
from ifms_airflow.api.pages.cancel import never_sent
from ifms_airflow.api.pages.render import count, page, run_text
from ifms_airflow.api.pages.revising import accounts_now, choosable, narrowed
from ifms_airflow.api.pages.settle import may_settle
from ifms_airflow.api.pages.timeline import steps
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.hooks import TreasuryHook
from ifms_airflow.rights import Rights

PAGE = 50
SORTS = {
    "created_desc": (Order.CREATED, False),
    "created_asc": (Order.CREATED, True),
    "updated_desc": (Order.CHANGED, False),
}

Day = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")]
_AMOUNT = re.compile(r"\d{1,13}(\.\d{1,2})?", re.ASCII)

router = APIRouter(dependencies=[READ])


# The list -------------------------------------------------------------------------------------------------------------


class ListForm(BaseModel):
    """The fields of the list's form, as they stand in its address."""

    tab: Literal["pending", "open"] = "pending"
    number: Text = ""
    bill: Text = ""
    payment: Text = ""
    type: Literal["", "ORIGINAL", "REVISED"] = ""
    status: Text = ""
    city: Text = ""
    work_order: Text = ""
    project: Text = ""
    ward: Text = ""
    hoa: Text = ""
    amount_from: Text = ""
    amount_to: Text = ""
    created_from: Day = ""
    created_to: Day = ""
    sort: Literal["created_desc", "created_asc", "updated_desc"] = "created_desc"
    after: Text = ""

    @property
    def filled(self) -> dict[str, str]:
        """What is filled in, as an address has it, without the place in the list."""
        return {name: value for name, value in self.model_dump().items() if value and name != "after"}

    @property
    def more(self) -> bool:
        """Whether one of the filters is filled in that are folded away."""
        return any((self.work_order, self.project, self.ward, self.hoa, self.amount_from, self.amount_to))

    @property
    def fault(self) -> str | None:
        """What is wrong with the dates or the amounts."""
        start, end = _day(self.created_from), _day(self.created_to)
        if end and end > clock.to_ist(clock.now()).date():
            return t("pis.future")
        if start and end and start > end:
            return t("pis.dates")
        try:
            least, most = _rupees(self.amount_from), _rupees(self.amount_to)
        except ValueError as wrong:
            return t("pis.amount", amount=wrong)
        return t("pis.amounts") if least is not None and most is not None and least > most else None

    def criteria(self) -> Criteria:
        """The search."""
        order, ascending = SORTS[self.sort]
        start, end = _day(self.created_from), _day(self.created_to)
        open_search = self.tab == "open"
        return Criteria(
            number=self.number.strip() or None,
            bill_number=self.bill.strip() or None,
            payment_number=self.payment.strip() or None,
            work_order=self.work_order.strip() or None,
            project=self.project.strip() or None,
            ward=self.ward.strip() or None,
            hoa_code=self.hoa or None,
            amount_from=_rupees(self.amount_from),
            amount_to=_rupees(self.amount_to),
            tenant_id=self.city or None,
            pi_type=self.type or None,
            status=(self.status if open_search and self.status in set(PiStatus) else None),
            created_from=_midnight(start) if open_search and start else None,
            created_to=_midnight(end + timedelta(days=1)) if open_search and end else None,
            for_action=not open_search,
            order=order,
            ascending=ascending,
            limit=PAGE,
            after=self.after or None,
        )


@router.get("/instructions")
def instructions(
    request: Request, user: User, form: Annotated[ListForm, Query()], given: Entitled, ledger: Ledger
) -> HTMLResponse:
    """The list: pending for action, or the open search."""
    found, total, fault = None, 0, form.fault
    with ledger.connection() as connection:
        known, (_, heads, cities) = names.read(connection), funds.choices(connection, given.read)
        if fault is None:
            found = search.find(connection, form.criteria(), given.read)
            total = search.count(connection, form.criteria(), given.read)
        saved = saved_searches.of(connection, user.get_id())
        tabs = tab_counts(connection, given.read)
    return page(
        request,
        "instructions.html",
        active="instructions",
        form=form,
        query=urlencode(form.filled),
        lines=found.lines if found else [],
        next=urlencode(form.filled | {"after": found.next}) if found and found.next else None,
        total=total,
        limit=search.COUNT_LIMIT,
        tabs=tabs,
        saved=saved,
        named_as=next((each.name for each in saved if each.query == urlencode(form.filled)), ""),
        longest_name=saved_searches.LONGEST,
        names=known,
        cities=known.city_choices(cities),
        heads=known.head_choices(heads),
        statuses=list(PiStatus),
        sorts=list(SORTS),
        error=fault,
        today=clock.to_ist(clock.now()).date(),
    )


TAB_LIMIT = 1000
"""How far the rows of a tab are counted."""


def tab_counts(connection: Connection, cities: Cities) -> dict[str, str]:
    """How many rows each tab has without a filter, in words: up to TAB_LIMIT."""
    counts = {
        "pending": search.count(connection, Criteria(for_action=True), cities, most=TAB_LIMIT),
        "open": search.count(connection, Criteria(), cities, most=TAB_LIMIT),
        "waiting": waiting.count(connection, waiting.Criteria(), cities, most=TAB_LIMIT),
    }
    return {tab: t("pis.tab.many", n=count(TAB_LIMIT)) if n > TAB_LIMIT else count(n) for tab, n in counts.items()}


@router.post("/instructions/searches")
def save_search(
    request: Request,
    user: User,
    given: Entitled,
    name: Annotated[Text, Form()],
    query: Annotated[str, Form(max_length=4000)] = "",
) -> RedirectResponse:
    """Keep the search for whoever has made it, under a name, and show it again."""
    fields = dict(parse_qsl(query))
    try:
        form = ListForm.model_validate(fields)
    except ValidationError:
        raise BadInputError("this is no search of the list of payment instructions; nothing was saved") from None
    if form.city and form.city not in given.read:
        raise HTTPException(404, f"No city {form.city} is open to you; nothing was saved")
    writes.transact(partial(saved_searches.save, owner=user.get_id(), name=name, query=urlencode(form.filled)))
    return see_other(request, "/instructions", form.filled)


@router.post("/instructions/searches/remove")
def remove_search(
    request: Request, user: User, given: Entitled, search_id: Annotated[uuid.UUID, Form(alias="search")]
) -> RedirectResponse:
    """Forget one of one's own searches."""
    writes.transact(partial(saved_searches.remove, owner=user.get_id(), search_id=search_id))
    return see_other(request, "/instructions")


_HEADER = (
    "pis.c.number",
    "pi.type",
    "pi.parent",
    "pi.payment",
    "pi.bill",
    "pi.city",
    "pis.c.date",
    "pis.c.beneficiaries",
    "pis.c.successful",
    "pis.c.failed",
    "pis.c.amount",
    "pis.c.status",
    "pis.c.city_name",
    "pi.hoa",
    "reg.c.code",
    "pi.work_order",
    "pis.f.project",
    "pis.f.ward",
)


@router.get("/instructions.csv")
async def instructions_csv(form: Annotated[ListForm, Query()], given: Entitled, export: Exporting) -> Response:
    """Everything that the search finds."""
    write = partial(_write, form=form, cities=given.read, media_type=CSV)
    return await export.made(write, CSV, "payment-instructions.csv")


@router.get("/instructions.xlsx")
async def instructions_xlsx(form: Annotated[ListForm, Query()], given: Entitled, export: Exporting) -> Response:
    """Everything that the search finds, as a workbook."""
    write = partial(_write, form=form, cities=given.read, media_type=XLSX)
    return await export.made(write, XLSX, "payment-instructions.xlsx")


def _write(work: Work, *, form: ListForm, cities: Cities, media_type: str) -> None:
    lines: Iterator[Line] = iter(())
    connection = work.connection()
    if not form.fault:
        criteria = form.criteria()
        if search.count(connection, criteria, cities, most=work.rows) > work.rows:
            raise TooManyRowsError(t("pis.too_many", rows=count(work.rows), dag=REPORTS))
        lines = _everything(work, connection, criteria, cities)
    rows = map(partial(_cells, names.read(connection)), lines)
    work.table(media_type, english("pis.title"), [english(key) for key in _HEADER], rows)


def _everything(work: Work, connection: Connection, criteria: Criteria, cities: Cities) -> Iterator[Line]:
    """All lines of the search, in one snapshot."""
    criteria = replace(criteria, limit=1000)
    while True:
        work.check()
        found = search.find(connection, criteria, cities)
        yield from found.lines
        if found.next is None:
            return
        criteria = replace(criteria, after=found.next)


def _cells(known: names.Names, line: Line) -> list[sheets.Cell]:
    return [
        line.pi_number,
        english(f"type.{line.pi_type}"),
        line.parent_pi_number,
        line.payment_number,
        ", ".join(line.bill_numbers),
        line.tenant_id,
        line.created_at,
        line.beneficiary_count,
        line.successful_count,
        line.failed_count,
        line.net_amount,
        english(f"status.{line.status}"),
        known.city(line.tenant_id),
        known.head(line.hoa_code),
        line.hoa_code,
        ", ".join(line.work_order_numbers),
        ", ".join(line.project_numbers),
        ", ".join(line.wards),
    ]


# One of them ----------------------------------------------------------------------------------------------------------

Number = Annotated[Text, Query(min_length=1)]


@router.get("/instruction")
def instruction(
    request: Request,
    user: User,
    given: Entitled,
    kinds: Unmasked,
    ledger: Ledger,
    number: Number,
    dag: Annotated[Text, Query()] = "",
    run: Annotated[Text, Query()] = "",
) -> HTMLResponse:
    """One PI with its whole history; with `dag` and `run`, how the DAG run stands that was started for it."""
    whole, about = _look(ledger, given, number)
    started = dag_runs.find(dag, run, given, ledger) if dag.startswith("ifms_") and run else None
    act_results: list[ActResult] = []
    if started is not None and started.over:
        with ledger.connection() as connection:
            found = outcomes(connection, whole.pi, dag, run, given.read)
            problems = problems_of_run(connection, dag, run)
        act_results = results_of(run.split("__")[0], whole.pi["pi_number"], found, problems)
    return _show(request, user, given, kinds, whole, about, started=started, act_results=act_results)


@router.post("/accounts", dependencies=[Depends(sees_accounts)])
def accounts(
    request: Request, user: User, given: Entitled, kinds: Unmasked, ledger: Ledger, number: Annotated[Text, Form()]
) -> HTMLResponse:
    """The same page with whole account numbers, for roles that may see them; each look is recorded first."""
    whole, about = _look(ledger, given, number)
    if whole.pi["tenant_id"] not in given.accounts:
        raise HTTPException(403, t("error.accounts", city=whole.pi["tenant_id"]))
    tenant = whole.pi["tenant_id"]
    dag_runs.note(user, "accounts", dag_id="ifms_pi", tenant_id=tenant, pi_number=number, types=sorted(kinds))
    with ledger.connection() as connection:
        known = account_numbers(connection, whole.pi["pi_number"], TreasuryHook().sealer, given.accounts)
    shown: dict[Any, str] = {}
    for row in whole.beneficiaries:
        if row["beneficiary_type"] in kinds:
            account = known[row["id"]]
            shown[row["id"]] = t("pi.b.sealed") if isinstance(account, SealError) else account or t("none")
    return _show(request, user, given, kinds, whole, about, unmasked=shown)


@router.get("/run")
def run_state(
    given: Entitled, ledger: Ledger, dag: Annotated[Text, Query(pattern=r"^ifms_\w*$")], run: Annotated[Text, Query()]
) -> JSONResponse:
    """How a DAG run stands, for the page that waits for it."""
    started = dag_runs.find(dag, run, given, ledger)
    if started is None:
        raise HTTPException(404, t("error.run"))
    return JSONResponse({"state": started.state, "over": started.over, "text": run_text(started)})


def _look(ledger: Reads, given: Rights, number: str) -> tuple[Whole, Around]:
    with ledger.connection() as connection:
        whole = by_number(connection, number, given.read)
        if whole is None:
            raise HTTPException(404, t("pis.not_found", number=number))
        return whole, around(connection, whole, given.read)


def _show(
    request: Request,
    user: User,
    given: Rights,
    kinds: frozenset[str],
    whole: Whole,
    about: Around,
    *,
    started: dag_runs.Started | None = None,
    act_results: Sequence[ActResult] = (),
    unmasked: Mapping[Any, str] | None = None,
) -> HTMLResponse:
    city = whole.pi["tenant_id"]
    may_act = city in given.act and (started is None or started.over)  # nothing more is begun before it has ended
    may_end = may_act and may_start(user, given, INSTRUCTIONS)
    return page(
        request,
        "instruction.html",
        active="instructions",
        whole=whole,
        pi=whole.pi,
        about=about,
        band=band(whole),
        line=steps(whole),
        act_results=act_results,
        status_text=_status(whole.pi),
        late=_late(whole),
        actions=[a for a in offered(whole, about) if may_act and may_start(user, given, a.dag_id)],
        may_settle=may_end and may_settle(whole.pi),
        may_cancel=may_end and never_sent(whole.pi),
        may_open=city in given.act and may_start(user, given, INSTRUCTIONS),
        token=uuid.uuid4().hex,
        may_unmask=bool(kinds) and city in given.accounts,
        unmasked=unmasked or {},
        started=started,
        run_text=run_text(started) if started else "",
        bills=_numbers(whole.pi, "billNumber"),
        work_orders=_numbers(whole.pi, "referenceId"),
        projects=[*_numbers(whole.pi, "projectName"), *_numbers(whole.pi, "projectNumber")],
        wards=_numbers(whole.pi, "ward"),
        nothing=_nothing(whole.pi),
    )


@dataclass(frozen=True)
class ActResult:
    """What came of an action, in the story's words (texts.md §2)."""

    good: bool
    text: str
    number: str | None = None
    """The new PI, to go to."""


def results_of(action: str, shown: str, found: Sequence[Outcome], problems: Sequence[str]) -> list[ActResult]:
    """What a DAG run that was started from the page of the PI `shown` has come to; nothing of one that only asked."""
    if action not in ("resubmit", "revise", "repay"):
        return []
    made = [each for each in found if each.made]
    if action == "resubmit":
        return [_resubmitted(each, shown) for each in made or found] or [_nothing_made("act.told.not", problems)]
    words = "act.told.revised" if action == "revise" else "act.told.repaid"
    return [
        ActResult(
            each.submitted,
            t(f"{words}.{'sent' if each.submitted else 'unsent'}", number=each.pi_number),
            each.pi_number,
        )
        for each in made
    ] or [_nothing_made("act.told.none", problems)]


def _resubmitted(outcome: Outcome, shown: str) -> ActResult:
    number = outcome.pi_number if outcome.pi_number != shown else None
    if outcome.submitted:
        return ActResult(True, t("act.told.sent"), number)
    why = outcome.message or t("act.told.no_answer")
    return ActResult(False, t("act.told.maybe" if outcome.uncertain else "act.told.unsent", why=why), number)


def _nothing_made(key: str, problems: Sequence[str]) -> ActResult:
    return ActResult(False, t(key, why="; ".join(problems) or t("act.told.silent")))


def band(whole: Whole) -> tuple[str, str]:
    """The info band: its tone, and what the last call said (user-stories.md, rules common to every API story)."""
    if not whole.log:
        return "wait", t("pi.band.none")
    last = whole.log[0]
    service = last["service_id"]
    outcome = last["status"].removeprefix(f"STATUS_LOG_{service}_")
    if outcome in {"NO_RESPONSE", "NOT_SENT"}:
        return "wait", t("pi.band.no_response", service=service)
    if outcome in {"ERROR", "REJECTED", "NO_FUNDS"}:
        return "bad", t("pi.band.error", service=service, message=last["message"] or "")
    if outcome == "SAME_ACCOUNT":
        return "wait", t("pi.band.same_account", message=last["message"] or "")
    if outcome == "SETTLED_BY_HAND":
        return "note", t("pi.band.settled", message=last["message"] or "")
    if outcome == "CANCELLED":
        return "note", t("pi.band.settled", message=last["message"] or "")
    if outcome == "NO_NEWS":
        return "busy", t("pi.band.no_news", service=service)
    return "good", t("pi.band.success", service=service)


def _status(pi: Row) -> str:
    """The status in words: a FAILED one was declined by the treasury, or rejected by the SSU."""
    if pi["cancelled_by"] is not None:
        return t("status.cancelled")
    if pi["status"] == "FAILED":
        return t("status.rejected" if pi["error_code"] == "PAYMENT_DECLINED" else "status.declined")
    return t(f"status.{pi['status']}")


def _numbers(pi: Row, name: str) -> list[str]:
    numbers = pi["additional_details"].get(name) if isinstance(pi["additional_details"], dict) else None
    return [str(each) for each in numbers] if isinstance(numbers, list) else []


def _nothing(pi: Row) -> list[tuple[str, str | None]]:
    """The bills' lines of zero rupees, each with its payee as far as the bill names one."""
    noted = pi["additional_details"].get(NOTHING_TO_PAY) if isinstance(pi["additional_details"], dict) else None
    if not isinstance(noted, list):
        return []
    return [(str(each["lineItemId"]), each.get("beneficiaryId")) for each in noted if isinstance(each, dict)]


# What can be done about it --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Action:
    """Something that a person may have done now: which DAG does it, and with which form."""

    name: str
    dag_id: str
    conf: Mapping[str, Any]
    label: str
    rows: tuple[Row, ...] = ()
    """The beneficiaries whom it is about."""

    @property
    def asks(self) -> bool:
        """Whether it is asked once more before it is done: what moves money, or pays."""
        return self.name != "refresh"


def offered(whole: Whole, about: Around) -> list[Action]:
    """What can be done about a PI as it stands."""
    pi = whole.pi
    number, tenants = pi["pi_number"], [pi["tenant_id"]]
    alone = {"pi_numbers": [number], "tenants": tenants}
    actions = []
    if pi["status"] == "PENDING" or _may_have_successor(whole, about):
        actions.append(Action("resubmit", "ifms_pi", alone, t("act.resubmit"), tuple(whole.beneficiaries)))
    elif whole.next_service is not None:
        dag_id = f"ifms_{whole.next_service.lower()}"
        actions.append(Action("refresh", dag_id, alone, t("act.refresh", service=whole.next_service)))
    if pi["status"] in {"PARTIAL", "COMPLETED"} and about.busy is None:
        late = {row["id"] for row in _late(whole)}
        for name, rows in (
            ("revise", tuple(row for row in whole.failed if row["id"] not in late)),
            ("repay", tuple(row for row in whole.failed if row["id"] in late)),
        ):
            if rows:
                conf = {
                    "pi_number": corrected_as(pi),
                    "tenant": pi["tenant_id"],
                    "tenants": tenants,
                    "beneficiaries": [row["beneficiary_number"] for row in rows],
                    "new_original": name == "repay",
                }
                actions.append(Action(name, "ifms_cor", conf, t(f"act.{name}"), rows))
    return actions


def _may_have_successor(whole: Whole, about: Around) -> bool:
    pi = whole.pi
    return (
        pi["status"] == "FAILED"
        and pi["pi_type"] == "ORIGINAL"
        and pi["repayment_of"] is None
        and not about.alive
        and about.payment is not None
        and about.payment["paid_by"] is None
    )


def _late(whole: Whole) -> list[Row]:
    """Its failed payments that can no longer be corrected."""
    today = clock.to_ist(clock.now()).date()
    return [row for row in whole.failed if row["correct_by"] < today]


Name = Annotated[str, Query(pattern="^(resubmit|revise|repay)$")]
_ASKING = ("pis", "pag", "pd", "ftps", "ftfps")


@router.get("/confirm")
def confirm(
    request: Request, user: User, given: Entitled, ledger: Ledger, number: Number, action: Name
) -> HTMLResponse:
    """What an action will do, before it is done."""
    whole, about = _look(ledger, given, number)
    require_act(given, whole.pi["tenant_id"])
    chosen = _chosen(whole, about, action)
    require_start(user, given, chosen.dag_id)
    if action == "revise":
        rows = choosable(ledger, corrected_as(whole.pi), chosen.rows)
        ticked = [each for each in rows if each.ticked]
        return page(
            request,
            "revise.html",
            active="instructions",
            pi=whole.pi,
            action=chosen,
            rows=rows,
            ticked=ticked,
            total=sum((each.row["amount"] for each in ticked), Decimal(0)),
            two=_may_need_two(ledger, action, sum((each.row["amount"] for each in rows), Decimal(0))),
            token=uuid.uuid4().hex,
        )
    return page(
        request,
        "confirm.html",
        active="instructions",
        pi=whole.pi,
        action=chosen,
        total=sum(row["amount"] for row in chosen.rows),
        two=whole.pi["status"] != "PENDING"
        and _may_need_two(ledger, action, sum((row["amount"] for row in chosen.rows), Decimal(0))),
        token=uuid.uuid4().hex,
    )


@router.post("/act", dependencies=[starts(*(f"ifms_{each}" for each in ("pi", "cor", *_ASKING)))])
def act(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    number: Annotated[Text, Form(min_length=1)],
    action: Annotated[str, Form(pattern="^(refresh|resubmit|revise|repay)$")],
    token: Annotated[Token, Form()],
    revise: Annotated[Sequence[Text], Form()] = (),
    same_account: Annotated[Sequence[Text], Form()] = (),
    reason: Annotated[Reason, Form()] = "",
) -> RedirectResponse:
    """Start the DAG run that does it, and show the PI with how the run stands; or propose it, where that needs two.

    `revise` and `same_account` are the beneficiaries who were ticked for a revised PI, and how.
    """
    whole, about = _look(ledger, given, number)
    require_act(given, whole.pi["tenant_id"])
    started = _earlier(action, token, given, ledger)
    if started is None:
        chosen = _chosen(whole, about, action)
        require_start(user, given, chosen.dag_id)
        if action == "revise":
            chosen = replace(chosen, conf=narrowed(chosen.conf, chosen.rows, revise, same_account))
        try:
            proposal = _proposed(user, ledger, whole, chosen, reason)
        except BadInputError as error:
            raise HTTPException(400, str(error)) from None
        except (ConflictError, CorrectionRefusedError) as error:
            raise HTTPException(409, str(error)) from None
        if proposal is not None:
            return proposing.shown(request, proposal)
        started = dag_runs.start(user, given, chosen.dag_id, chosen.name, chosen.conf, token, page=True)
    return see_other(request, "/instruction", {"number": number, "dag": started.dag_id, "run": started.run_id})


def _proposed(user: User, ledger: Reads, whole: Whole, chosen: Action, reason: str) -> Proposal | None:
    """The proposal of an action that needs a second person; None: it needs none. Raises 503 without the registry."""
    conf, tenant = chosen.conf, whole.pi["tenant_id"]
    if chosen.name == "resubmit":
        return proposing.resubmission(user, ledger, tenant, whole.pi["payment_number"], reason)
    if chosen.name not in {"revise", "repay"}:
        return None
    order = CorrectionOrder(
        tenant,
        conf["pi_number"],
        tuple(conf["beneficiaries"]) or None,
        conf["new_original"],
        tuple(conf.get("same_account", ())),
        by=user.get_name(),
    )
    rows = [row for row in chosen.rows if row["beneficiary_number"] in (order.named or ())]
    amount = sum((row["amount"] for row in rows), Decimal(0))
    with ledger.connection() as connection:
        act = needed(connection, order, amount)
    if act is None:
        return None
    given = parameters_of(order, accounts_now(ledger, order.pi_number, rows), TreasuryHook().sealer)
    return proposing.propose(user, act, order.pi_number, given, tenant_id=tenant, reason=reason, amount=amount)


def _may_need_two(ledger: Reads, action: str, total: Decimal) -> bool:
    """Whether an action may have to be proposed, so that its form asks for a reason."""
    acts = {
        "resubmit": (Act.RESUBMISSION,),
        "revise": (Act.SAME_ACCOUNT, Act.CORRECTION),
        "repay": (Act.REPAYMENT,),
    }
    return any(proposing.needed(ledger, act, total) for act in acts.get(action, ()))


def _earlier(action: str, token: str, given: Rights, ledger: Reads) -> dag_runs.Started | None:
    """The run that this very form has started before: sent twice, it is done once, whatever has changed since."""
    candidates = {"resubmit": ["ifms_pi"], "revise": ["ifms_cor"], "repay": ["ifms_cor"]}
    dag_ids = candidates.get(action, [f"ifms_{each}" for each in _ASKING])
    found = (dag_runs.find(dag_id, f"{action}__{token}", given, ledger) for dag_id in dag_ids)
    return next((each for each in found if each is not None), None)


def _chosen(whole: Whole, about: Around, name: str) -> Action:
    for action in offered(whole, about):
        if action.name == name:
            return action
    raise HTTPException(409, t("act.gone", number=whole.pi["pi_number"]))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise HTTPException(400, t("error.day", text=text)) from None


def _rupees(text: str) -> Decimal | None:
    """The amount that somebody has written, with or without commas. Raises ValueError with what is none."""
    plain = text.replace(",", "").strip()
    if plain and not _AMOUNT.fullmatch(plain):
        raise ValueError(text)
    return Decimal(plain) if plain else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, day_time(), clock.IST)
