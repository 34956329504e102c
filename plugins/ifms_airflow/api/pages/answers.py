"""Unknown answers: texts of the treasury that nobody understands, what they mean, and who has said so."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from ifms.errors import BadInputError, ConflictError
from ifms.ledger import phrases
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act
from ifms.queries import unknown_answers as reads
from ifms.wire.envelope import Service
from ifms.wire.phrasebook import MEANINGS, Meaning, Phrase, shipped
from ifms_airflow.api import dag_runs, proposing, writes
from ifms_airflow.api.access import (
    INSTRUCTIONS,
    READ,
    Entitled,
    User,
    may_start,
    require_act,
    require_start,
    starts,
)
from ifms_airflow.api.digit import Text
from ifms_airflow.api.forms import Reason, Token, see_other, status_of
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import page, run_text
from ifms_airflow.api.read_pool import Ledger, Reads
from ifms_airflow.rights import Rights

MOST_ANSWERS = 50
"""So many texts are shown at a time: those with most PIs behind them."""


router = APIRouter(dependencies=[READ])


class NewPhrase(BaseModel):
    """The form of an unknown text."""

    answer: UUID
    text: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    meaning: Meaning | None = None
    both: bool = False
    """Of a text of PI or COR: it counts for both."""
    reason: Reason = ""


@router.get("/answers")
def answers(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    added: Annotated[UUID | None, Query()] = None,
    withdrawn: Annotated[UUID | None, Query()] = None,
    dag: Annotated[Text, Query()] = "",
    run: Annotated[Text, Query()] = "",
) -> HTMLResponse:
    """The page; a phrase was just `added` or `withdrawn`; `dag` and `run` are the DAG run that was just started."""
    return _show(request, user, given, ledger, added=added, gone=withdrawn, started=_run(dag, run, given, ledger))


@router.post("/answers", dependencies=[starts(INSTRUCTIONS)])
def add(request: Request, user: User, given: Entitled, ledger: Ledger, form: Annotated[NewPhrase, Form()]) -> Response:
    """Say what a text means from now on: in all cities, so for who may act in all of them."""
    require_act(given, None)
    with ledger.connection() as connection:
        answer = next((each for each in phrases.unknown_answers(connection) if each.id == form.answer), None)
    if answer is None:
        raise HTTPException(409, t("ans.gone"))
    services = both(answer.service_id) if form.both else (answer.service_id,)
    for dag_id in dags_of(services):
        require_start(user, given, dag_id)
    if form.meaning is None:
        return _show(request, user, given, ledger, form=form, error=t("ans.which"), status=400)
    meaning = form.meaning
    try:
        if not phrases.explains(Phrase(tuple(map(Service, services)), form.text, meaning, ""), answer.template):
            raise BadInputError(t("ans.no_match", text=form.text))
    except BadInputError as error:
        return _show(request, user, given, ledger, form=form, error=str(error), status=400)

    if proposing.needed(ledger, Act.PHRASE):
        try:
            made = proposing.propose(
                user,
                Act.PHRASE,
                form.text,
                {"services": sorted(services), "meaning": str(meaning)},
                tenant_id=None,
                reason=form.reason,
            )
        except (BadInputError, ConflictError) as error:
            return _show(request, user, given, ledger, form=form, error=str(error), status=status_of(error))
        return proposing.shown(request, made)

    def work(connection: Connection) -> UUID:
        phrase, _ = phrases.add_phrase(
            connection, services, form.text, meaning, reason=form.reason, added_by=user.get_name()
        )
        return phrase

    try:
        phrase = writes.transact(work)
    except (BadInputError, ConflictError) as error:
        return _show(request, user, given, ledger, form=form, error=str(error), status=status_of(error))
    dag_runs.note(
        user,
        "phrase_added",
        dag_id=INSTRUCTIONS,
        phrase=phrase,
        services=list(services),
        text=form.text,
        meaning=meaning,
        reason=form.reason,
    )
    return _back(request, added=str(phrase))


@router.post("/answers/withdraw", dependencies=[starts(INSTRUCTIONS)])
def withdraw(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    phrase: Annotated[UUID, Form()],
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """A phrase of this site counts no more, in any city."""
    require_act(given, None)
    with ledger.connection() as connection:
        known = next((each for each in phrases.site_phrases(connection) if each.id == phrase), None)
    if known is None:
        raise HTTPException(409, t("ans.site.gone"))
    for dag_id in dags_of(known.services):
        require_start(user, given, dag_id)
    try:
        writes.transact(partial(phrases.withdraw_phrase, phrase_id=phrase, reason=reason, withdrawn_by=user.get_name()))
    except BadInputError as error:
        return _show(request, user, given, ledger, error=str(error), status=400)
    dag_runs.note(user, "phrase_withdrawn", dag_id=INSTRUCTIONS, phrase=phrase, text=known.text, reason=reason)
    return _back(request, withdrawn=str(phrase))


@router.post("/answers/ask", dependencies=[starts(*(f"ifms_{service.lower()}" for service in Service))])
def ask(
    request: Request,
    user: User,
    given: Entitled,
    ledger: Ledger,
    phrase: Annotated[UUID, Form()],
    service: Annotated[Service, Form()],
    token: Annotated[Token, Form()],
) -> RedirectResponse:
    """Start the DAG that asks about the PIs which waited behind a text, without waiting for its hour."""
    dag_id = dag_of(service)
    require_start(user, given, dag_id)
    started = dag_runs.find(dag_id, f"answers__{token}", given, ledger)  # the same form once more
    if started is None:
        with ledger.connection() as connection:
            waiting = reads.asked_again(connection, given.act).get(phrase, [])
        again = next((each for each in waiting if each.service == service), None)
        if again is None:
            raise HTTPException(409, t("ans.asked"))
        conf = {"pi_numbers": again.pi_numbers, "tenants": again.tenants}
        started = dag_runs.start(user, given, dag_id, "answers", conf, token, page=True)
    return _back(request, dag=started.dag_id, run=started.run_id)


# What there is to know ------------------------------------------------------------------------------------------------


def dag_of(service: str) -> str:
    """The DAG of this service."""
    return f"ifms_{service.lower()}"


def dags_of(services: Iterable[str]) -> list[str]:
    """Whose runs somebody must be allowed to start who says what a text of these services means."""
    return sorted({dag_of(service) for service in services} | {INSTRUCTIONS})


def both(service: str) -> tuple[str, ...]:
    """PI and COR say the same things: a text of one may count for both."""
    submissions = (Service.PI.value, Service.COR.value)
    return submissions if service in submissions else (service,)


def meanings(service: str) -> list[Meaning]:
    """What a text of this service can mean, in the order of the phrasebook."""
    return [meaning for meaning in Meaning if meaning in MEANINGS[Service(service)]]


def _run(dag: str, run: str, given: Rights, ledger: Reads) -> dag_runs.Started | None:
    return dag_runs.find(dag, run, given, ledger) if dag.startswith("ifms_") and run else None


def _back(request: Request, **values: str) -> RedirectResponse:
    return see_other(request, "/answers", values)


def _show(
    request: Request,
    user: User,
    given: Rights,
    ledger: Reads,
    *,
    added: UUID | None = None,
    gone: UUID | None = None,
    started: dag_runs.Started | None = None,
    form: NewPhrase | None = None,
    error: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    with ledger.connection() as connection:
        unknown = reads.unanswered(connection, given.read)
        shown = unknown[:MOST_ANSWERS]
        numbers = reads.behind(connection, [each.id for each in shown if each.waiting], given.read)
        site = phrases.site_phrases(connection, withdrawn=True)
        again = reads.asked_again(connection, given.act)
        doubted = reads.doubted(connection, gone, given.read) if gone else []
    allowed = {
        code
        for code in Service
        if given.act.everywhere and all(may_start(user, given, dag_id) for dag_id in dags_of([code]))
    }
    waits = started is not None and not started.over
    return page(
        request,
        "answers.html",
        status,
        active="answers",
        answers=shown,
        total=len(unknown),
        numbers=numbers,
        most_shown=reads.MOST_SHOWN,
        meanings=meanings,
        both=both,
        site=[each for each in site if each.withdrawn_at is None],
        withdrawn=[each for each in site if each.withdrawn_at is not None],
        shipped=shipped().phrases,
        allowed=allowed,
        may_ask=lambda one: not waits and may_start(user, given, dag_of(one.service)),
        again=again,
        added=next((each for each in site if each.id == added), None),
        gone=next((each for each in site if each.id == gone), None),
        doubted=doubted,
        started=started,
        run_text=run_text(started) if started else "",
        form=form,
        two=proposing.needed(ledger, Act.PHRASE),
        error=error,
        token=uuid.uuid4().hex,
    )
