"""In which language somebody reads the pages: as they chose there, else as the browser asks for, else English.

A choice is kept in the ledger by login name. A cookie saves asking it for each page; it names its user by a digest, so
that who logs in after them at the same desk is not told theirs.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Annotated

import psycopg
from anyio import to_thread
from babel import Locale, negotiate_locale
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from ifms.errors import ConfigurationError
from ifms.ledger import user_languages
from ifms_airflow.api import messages, writes
from ifms_airflow.api.access import User
from ifms_airflow.api.messages import ENGLISH, LANGUAGES, t
from ifms_airflow.api.read_pool import Ledger, Reads

COOKIE = "ifms_language"
_DAY = 24 * 60 * 60  # then the ledger is asked again: the last choice may have been made elsewhere

router = APIRouter()


async def speak(request: Request, user: User, ledger: Ledger) -> None:
    """Have the texts of this request in the language of who reads them; a dependency of every page."""
    if _of_cookie(request) is None:
        request.state.language = await to_thread.run_sync(_chosen, ledger, user.get_name())
    messages.speak(wished(request))


def _chosen(ledger: Reads, user: str) -> str | None:
    try:
        with ledger.connection() as connection:
            language = user_languages.chosen(connection, user)
    except (psycopg.Error, ConfigurationError, HTTPException):  # a page that needs the ledger says so; others don't
        return None
    return language if language in LANGUAGES else None


@router.post("/language")
def choose(
    request: Request,
    user: User,
    language: Annotated[str, Form()] = "",
    there: Annotated[str, Form(alias="next")] = "",
) -> RedirectResponse:
    """Remember the language and go back to where it was chosen; one that there is not is not remembered."""
    root = request.scope.get("root_path", "")
    answer = RedirectResponse(there if is_ours(there, root) else f"{root}/overview", 303)
    if language in LANGUAGES:
        writes.transact(partial(user_languages.keep, user=user.get_name(), language=language))
        _set_cookie(request, answer, user.get_name(), language)
    return answer


def save_asking(request: Request, answer: Response) -> None:
    """Have the browser know what the ledger was asked for this page."""
    if (language := getattr(request.state, "language", None)) is not None:
        _set_cookie(request, answer, request.state.caller.get_name(), language)


def _set_cookie(request: Request, answer: Response, user: str, language: str) -> None:
    answer.set_cookie(
        COOKIE,
        cookie(user, language),
        max_age=_DAY,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def wished(request: Request) -> str:
    """The language of who sent the request."""
    chosen = _of_cookie(request) or getattr(request.state, "language", None)
    return chosen or preferred(request.headers.get("accept-language", ""))


def _of_cookie(request: Request) -> str | None:
    language = request.cookies.get(COOKIE, "").partition(".")[0]
    caller = getattr(request.state, "caller", None)  # nobody, where nothing is found
    if language in LANGUAGES and (caller is None or request.cookies[COOKIE] == cookie(caller.get_name(), language)):
        return language
    return None


def cookie(user: str, language: str) -> str:
    """The cookie of a user's choice."""
    return f"{language}.{hashlib.sha256(user.encode()).hexdigest()[:16]}"


def preferred(header: str) -> str:
    """The language of ours that a browser likes best by its Accept-Language."""
    liked: list[tuple[float, str]] = []
    for each in header.split(","):
        tag, _, quality = each.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if weight > 0:
            liked.append((-weight, tag.strip().lower()))
    ordered = [tag for _, tag in sorted(liked, key=lambda pair: pair[0]) if tag]
    return negotiate_locale(ordered, LANGUAGES, sep="-") or ENGLISH


def is_ours(there: str, root: str) -> bool:
    """Whether `there` is the path of a page of ours, and so no way to another server."""
    return there.startswith(f"{root}/") and not there.startswith("//") and "\\" not in there and there.isprintable()


def here(request: Request, active: str) -> str:
    """Where to come back to after the choice: this page, or the one of the navigation where this one answers a form."""
    if request.method == "GET":
        return str(request.url.replace(scheme="", netloc=""))
    return f"{request.scope.get('root_path', '')}/{active or 'overview'}"


def choices() -> list[tuple[str, str]]:
    """Each language and its own name, a draft as such."""
    named = ((each, Locale.parse(each).get_display_name() or each) for each in LANGUAGES)
    return [(each, t("language.draft", name=name) if messages.texts(each).draft else name) for each, name in named]
