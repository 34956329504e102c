"""Builds the FastAPI app: routes, who may call them, and what is answered when something is wrong."""

from __future__ import annotations

import html
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
from airflow.api_fastapi.app import get_auth_manager, get_cookie_path
from airflow.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from ifms.errors import BadInputError, ConfigurationError, IfmsError
from ifms_airflow.api import pages, routes
from ifms_airflow.api.access import READ, entitle, login, same_site
from ifms_airflow.api.create_instruction import Creator
from ifms_airflow.api.digit import DigitError, errors
from ifms_airflow.api.digit_login import DigitLogin
from ifms_airflow.api.exports import REPORTS, Exports, TooManyRowsError
from ifms_airflow.api.limits import Limits, guard
from ifms_airflow.api.messages import t
from ifms_airflow.api.pages.render import error_page, page
from ifms_airflow.api.read_pool import Reads, connect

log = logging.getLogger(__name__)

_HEADERS = {
    # Nothing from elsewhere, no script or style in the page itself, shown in Airflow's own frame only.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_CODES = {
    400: "REQUEST_INVALID",
    401: "NOT_LOGGED_IN",
    403: "NOT_ALLOWED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "REQUEST_TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
}

_OUT_OF_ORDER = ("OUT_OF_ORDER", "a setting of the adapter is wrong; the log of Airflow's API server names it")


def create_app() -> FastAPI:
    """The app, complete in itself; it connects to the ledger when first asked."""
    try:
        limits = Limits.read()
    except ConfigurationError as error:
        log.error("the adapter's API and pages answer nothing until this is mended: %s", error)
        return _out_of_order()
    app = FastAPI(
        title="IFMS adapter",
        description="Payment instructions and funds, as DIGIT knows them.",
        version="1.0",
        # Airflow mounts a plugin's app without asking who calls, and these three would be open to everybody.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would redirect to whatever the Host header says
        dependencies=[Depends(login), Depends(same_site), Depends(entitle)],
        lifespan=_lifespan,
    )
    app.state.reads = Reads(partial(connect, limits.read_seconds))
    app.state.exports = Exports(limits)
    app.state.digit_login = DigitLogin()
    app.state.creator = Creator(app.state.reads)
    app.include_router(routes.router, tags=["DIGIT"])
    app.include_router(pages.router, include_in_schema=False)
    app.add_api_route("/openapi.json", _openapi, dependencies=[READ], include_in_schema=False)
    app.add_api_route("/docs", _docs, dependencies=[READ], include_in_schema=False)
    guard(app, limits)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=host_names(limits), www_redirect=False)
    app.middleware("http")(_with_headers)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return app


def host_names(limits: Limits) -> list[str]:
    """The names that the app answers to: those set for it, else Airflow's own and this machine's, else any.

    The last only where nobody has set a name; `make run`, Compose and the manifests do.
    """
    if limits.host_names:
        return limits.hosts
    own = urlsplit(conf.get("api", "base_url", fallback="") or "").hostname
    return [own, "localhost", "127.0.0.1"] if own else ["*"]


def _out_of_order() -> FastAPI:
    """What stands for the app while a setting of it is wrong: the rest of Airflow works."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(404, lambda *_: JSONResponse(errors(_OUT_OF_ORDER), 503))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.creator.close()
    app.state.reads.close()


async def _with_headers(request: Request, call_next: Any) -> Response:  # noqa: ANN401
    response: Response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _openapi(request: Request) -> JSONResponse:
    """The API's description, for who may read what it gives."""
    return JSONResponse(request.app.openapi())


def _docs(request: Request) -> HTMLResponse:
    """The API in a few words, without a script from elsewhere."""
    described = request.app.openapi()
    rows = "".join(
        f"<tr><td><code>{method.upper()} {html.escape(request.scope['root_path'] + path)}</code></td>"
        f"<td>{html.escape(what['summary'])}</td></tr>"
        for path, methods in described["paths"].items()
        for method, what in methods.items()
    )
    return HTMLResponse(
        "<!doctype html><html lang='en'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<link rel='stylesheet' href='static/ifms.css'>"
        f"<title>IFMS adapter: API</title><main><h1>API</h1><table>{rows}</table>"
        "<p>Bodies and answers: <a href='openapi.json'>openapi.json</a></p></main></html>"
    )


# When something is wrong ----------------------------------------------------------------------------------------------


def _answer(request: Request, status: int, code: str, message: str) -> Response:
    """DIGIT's envelope for programs; a page for people, and the login for those whom nobody knows."""
    if "text/html" in request.headers.get("accept", "") and request.method in {"GET", "HEAD"} and status == 401:
        there = request.url.replace(scheme="", netloc="")  # a path: the Host header is not to be trusted
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(there)), 303)
    if "text/html" in request.headers.get("accept", ""):
        return error_page(request, status, message)
    return JSONResponse(errors((code, message)), status)


def _digit(request: Request, error: Exception) -> Response:
    assert isinstance(error, DigitError)
    return _answer(request, error.status, error.code, error.message)


def _too_many_rows(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooManyRowsError)
    if "text/html" not in request.headers.get("accept", ""):
        return _digit(request, error)
    return page(
        request,
        "too_many_rows.html",
        error.status,
        message=error.message,
        report=error.report,
        dag=REPORTS,
        form=f"{get_cookie_path()}dags/{REPORTS}",  # below the path that Airflow itself is served at
        token=uuid.uuid4().hex,
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    answer = _answer(request, error.status_code, _CODES.get(error.status_code, "UNKNOWN_ERROR"), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [(".".join(str(part) for part in each["loc"][1:]) or "body", each["msg"]) for each in error.errors()]
    if "text/html" in request.headers.get("accept", ""):
        return error_page(request, 400, "; ".join(f"{where}: {what}" for where, what in faults[:5]))
    return JSONResponse(errors(*(("REQUEST_INVALID", f"{where}: {what}") for where, what in faults[:20])), 400)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, IfmsError)
    code = "REQUEST_INVALID" if isinstance(error, BadInputError) else "UNKNOWN_ERROR"
    return _answer(request, 400, code, str(error))


def _no_ledger(request: Request, error: Exception) -> Response:
    """The database's own text may quote a row: it goes to the log, not to the caller."""
    log.error("the ledger did not answer", exc_info=error)
    if isinstance(error, psycopg.errors.QueryCanceled):
        return _answer(request, 503, "LEDGER_UNAVAILABLE", t("error.too_long"))
    if isinstance(error, psycopg.DataError):
        return _answer(request, 400, "REQUEST_INVALID", t("error.value"))
    return _answer(request, 503, "LEDGER_UNAVAILABLE", t("error.no_ledger"))


_HANDLERS: dict[type[Exception], Any] = {
    DigitError: _digit,
    TooManyRowsError: _too_many_rows,
    HTTPException: _http,
    StarletteHTTPException: _http,
    RequestValidationError: _invalid,
    IfmsError: _ours,
    psycopg.Error: _no_ledger,
}
