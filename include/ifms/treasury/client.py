"""The treasury client: encrypted calls over one session that all threads share (treasury-jit.md §1)."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from ifms.clock import now
from ifms.errors import (
    IfmsError,
    TreasuryError,
    TreasuryLoginError,
    TreasuryStoppedError,
    TreasuryUnreachableError,
    WireError,
)
from ifms.http import HttpReply, Progress, TransportError
from ifms.strict_json import decode
from ifms.treasury.config import TreasuryConfig
from ifms.treasury.outcome import (
    AUTH,
    Answered,
    Exchange,
    ExchangeOutcome,
    NeverSent,
    Outcome,
    Rejected,
    Unknown,
)
from ifms.treasury.transport import Transport
from ifms.wire.crypto import AES_KEY_BYTES, aes_decrypt, aes_encrypt, rsa_encrypt
from ifms.wire.envelope import Reply, WireRequest, parse_reply
from ifms.wire.phrasebook import says_no_session
from ifms.wire.public_key import PublicKeySource, load_public_key

log = logging.getLogger(__name__)

LOGIN_PAUSES_SECONDS = (1.0, 4.0)  # between tries when the treasury can't be reached: three tries in all
MAX_UNPROVED_LOGINS = 3  # sessions in a row that were refused before they served a single call
KEPT_GARBAGE = 64 * 1024  # characters of a reply that could not be understood, kept for whoever looks at it

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}", re.ASCII)


@dataclass(frozen=True)
class _Session:
    generation: int
    token: str = field(repr=False)
    sek: bytes = field(repr=False)


@dataclass(frozen=True)
class _Attempt:
    """One attempt's outcome, and whether the treasury said that the session is over."""

    outcome: Outcome
    session_over: bool = False


class Pace(Protocol):
    """What lets calls begin no faster than the treasury takes them, and none once the sweep is stopped."""

    @property
    def stop(self) -> threading.Event:
        """Set when no call's turn comes any more."""

    def wait(self, until: float) -> str | None:
        """Wait for a call's turn; None when it has come, or why it does not come by `until` (monotonic seconds)."""


class TreasuryClient:
    """Calls the treasury's services. Safe to share between threads; a context manager that closes its connections.

    The first call logs in, once for all threads. When the treasury says that the session is over, one thread logs in
    anew, and every call that was refused for it is made once more. A login that failed is remembered: it is raised to
    every thread that waits for it and to every later call, and not tried again.

    `on_exchange` is given every login, successful or not, exactly once, by the thread that made it; every other
    exchange rides on the outcome of its call. So each exchange becomes one row of the call log.
    """

    def __init__(
        self,
        config: TreasuryConfig,
        on_exchange: Callable[[Exchange], None] | None = None,
        *,
        login_pauses_seconds: tuple[float, ...] = LOGIN_PAUSES_SECONDS,
        pace: Pace | None = None,
        renewed: Callable[[], TreasuryConfig] | None = None,
    ) -> None:
        """Nothing is sent yet. `login_pauses_seconds` are the pauses between tries to reach the treasury for login.

        Every HTTP call, logins too, waits for its turn by `pace`. `renewed` reads the connection anew for each later
        login: a client secret or public key that was changed while this client was at work. From any thread, one at a
        time.
        """
        self.config = config
        self._pace = pace
        self._renewed = renewed
        self._public_key = load_public_key(config.public_key)
        self._on_exchange = on_exchange
        self._login_pauses = login_pauses_seconds
        self._transport = Transport(config)
        self._lock = threading.Lock()
        self._session: _Session | None = None
        self._login_failure: TreasuryError | None = None
        self._unproved_logins = 0
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; calls under way end as they would, later ones raise."""
        self._closed.set()
        self._transport.close()

    @property
    def logins(self) -> int:
        """How many logins have succeeded."""
        session = self._session
        return session.generation if session else 0

    def login(self) -> None:
        """Log in, unless a session is there already.

        Raises TreasuryLoginError when the treasury refuses or answers what can't be a login, TreasuryUnreachableError
        when it can't be reached after a few tries.
        """
        self._session_after(0)

    def call(self, request: WireRequest, *, until: float = math.inf) -> Outcome:
        """Send `request`; what became of it. Each HTTP call has the configured deadline.

        A call that would begin after `until` (monotonic seconds), or whose turn never comes, is not sent.
        Raises what `login` raises, if there is no session and nothing of `request` was sent. When the session ends
        under way and the new login fails, the outcome is Unknown, so that no exchange is lost, and the next call
        raises. Whatever else goes wrong once a byte of `request` was sent (no memory for the reply, an error of a
        library) is Unknown too; before that it is raised as it is.
        """
        session = self._session_after(0)
        first = self._attempt(session, request, until)
        if not first.session_over:
            return first.outcome
        try:
            session = self._session_after(session.generation)
            second = self._attempt(session, request, until)
        except TreasuryError as error:
            return Unknown(f"the session was over, and then: {error}", first.outcome.exchanges, understood=True)
        except Exception as error:
            reason = f"the session was over, and then: {type(error).__name__}"
            return Unknown(reason, first.outcome.exchanges, understood=False)
        return _after_new_login(first.outcome, second)

    # The session ------------------------------------------------------------------------------------------------------

    def _session_after(self, generation: int) -> _Session:
        """Give a session newer than `generation`; log in for it if no other thread has done so."""
        if self._closed.is_set():
            raise RuntimeError("the treasury client is closed")
        session = self._session
        if session is not None and session.generation > generation and self._login_failure is None:
            return session
        with self._lock:
            if self._login_failure is not None:
                raise type(self._login_failure)(str(self._login_failure))
            session = self._session
            if session is None or session.generation <= generation:
                try:
                    session = self._session = self._log_in()
                except TreasuryError as error:
                    self._login_failure = error
                    raise
            return session

    def _log_in(self) -> _Session:
        if self._unproved_logins >= MAX_UNPROVED_LOGINS:
            raise TreasuryLoginError(
                f"the treasury refused {MAX_UNPROVED_LOGINS} sessions in a row that it had just given; "
                "ask it whether the client id is in use elsewhere"
            )
        pauses = iter(self._login_pauses)
        while True:
            try:
                session = self._try_login()
            except TreasuryStoppedError:
                raise
            except TreasuryUnreachableError as error:
                pause = next(pauses, None)
                if pause is None or self._closed.wait(pause):
                    log.error("Login at the treasury failed: %s", error)
                    raise
                log.warning("Login at the treasury failed, trying again: %s", error)
            except TreasuryLoginError as error:
                log.error("Login at the treasury failed: %s", error)
                raise
            else:
                self._unproved_logins += 1
                log.info("Logged in at the treasury (login %d of this client)", session.generation)
                return session

    def _try_login(self) -> _Session:
        if (late := self._awaited(math.inf)) is not None:
            stopped = self._pace is not None and self._pace.stop.is_set()
            raise (TreasuryStoppedError if stopped else TreasuryUnreachableError)(f"no login: {late}")
        client_id, client_secret, public_key = self._credentials()
        app_key = os.urandom(AES_KEY_BYTES)
        body = json.dumps({"appKey": _b64(rsa_encrypt(public_key, app_key))})
        headers = {"clientId": client_id, "clientSecret": client_secret}
        clock = _Stopwatch()
        draft = _ExchangeDraft(AUTH, None, clock, encrypted_request=body, rek=_b64(app_key))
        try:
            reply = self._transport.post(self.config.authenticate_url, headers, body)
        except TransportError as error:
            self._record_login(draft.exchange(_outcome_of(error), status=error.status, error=error.reason))
            raise TreasuryUnreachableError(f"no login: {error.reason}") from None
        try:
            token, sek = _read_login(reply, app_key)
        except TreasuryError as error:
            self._record_login(draft.exchange("unknown", reply, error=str(error)))
            raise
        except Exception as error:
            self._record_login(draft.broken(reply, f"the reply could not be read ({type(error).__name__})"))
            raise
        self._record_login(replace(draft.exchange("answered", reply), auth_token=token, sek=_b64(sek)))
        return _Session(self.logins + 1, token, sek)

    def _credentials(self) -> tuple[str, str, PublicKeySource]:
        """Client id, secret and public key for the next login.

        Raises TreasuryLoginError when the connection can't be read anew.
        """
        config = self.config
        key: PublicKeySource = self._public_key
        if self._renewed is not None and self.logins:
            try:
                config = self._renewed()
                key = load_public_key(config.public_key)
            except IfmsError as error:
                raise TreasuryLoginError(f"no new login: {error}") from None
            except Exception as error:  # whatever keeps connections: its texts may hold what it keeps
                what = type(error).__name__
                raise TreasuryLoginError(f"no new login: the connection can't be read ({what})") from None
        return config.client_id, config.client_secret, key

    def _record_login(self, exchange: Exchange) -> None:
        if self._on_exchange is not None:
            self._on_exchange(exchange)

    def _proved(self, session: _Session) -> None:
        if self._unproved_logins and session is self._session:
            self._unproved_logins = 0

    # One attempt ------------------------------------------------------------------------------------------------------

    def _awaited(self, until: float) -> str | None:
        """Wait for a call's turn; why it may not begin, if so."""
        if self._pace is not None and (late := self._pace.wait(until)) is not None:
            return late
        if time.monotonic() > until:
            return "this sweep had fallen behind its lease: left to the next one"
        return None

    def _attempt(self, session: _Session, request: WireRequest, until: float) -> _Attempt:
        if (late := self._awaited(until)) is not None:
            return _Attempt(NeverSent(late, ()))
        rek = os.urandom(AES_KEY_BYTES)
        plain = request.to_wire()
        body = json.dumps(
            {"params": _b64(aes_encrypt(session.sek, plain.encode())), "rek": _b64(aes_encrypt(session.sek, rek))}
        )
        draft = _ExchangeDraft(
            request.service.value,
            request.bill_number,
            _Stopwatch(),
            request_plain=plain,
            encrypted_request=body,
            rek=_b64(rek),
            sek=_b64(session.sek),
            auth_token=session.token,
        )
        progress, http = Progress(), None
        try:
            http = self._transport.post(self.config.service_url, {"authToken": session.token}, body, progress)
            return self._read(session, draft, http, rek)
        except TransportError as error:
            exchange = draft.exchange(_outcome_of(error), status=error.status, error=error.reason)
            if not error.sent:
                return _Attempt(NeverSent(error.reason, (exchange,)))
            return _Attempt(Unknown(error.reason, (exchange,), understood=not error.unreadable))
        except Exception as error:
            # Whatever it is: once a byte has left, the treasury may have what was sent (money-rules.md R2).
            if not progress.sent:
                raise
            reason = f"the reply could not be read ({type(error).__name__})"
            return _Attempt(Unknown(reason, (draft.broken(http, reason),), understood=False))

    def _read(self, session: _Session, draft: _ExchangeDraft, http: HttpReply, rek: bytes) -> _Attempt:
        if not 200 <= http.status < 300:
            reason = f"HTTP {http.status}"
            outcome = Unknown(reason, (draft.exchange("unknown", http, error=reason),), understood=True)
            return _Attempt(outcome, session_over=says_no_session(_text(http)))
        try:
            reply = _decrypt(http, rek)
        except WireError as error:
            outcome = Unknown(str(error), (draft.exchange("unknown", http, error=str(error)),), understood=False)
            return _Attempt(outcome, session_over=says_no_session(_text(http)))
        over = any(says_no_session(error.message) for error in reply.errors)
        if not over:
            self._proved(session)
        if reply.errors and reply.data:
            # A receipt beside an error: whichever is true, the other one decides nothing about money.
            reason = "the reply has an error and data at once: " + "; ".join(str(error) for error in reply.errors)
            return _Attempt(Unknown(reason, (draft.exchange("unknown", http, error=reason),), understood=False))
        if over:
            reason = "the session is over"
            outcome = Unknown(reason, (draft.exchange("unknown", http, error=reason),), understood=True)
            return _Attempt(outcome, session_over=True)
        if reply.errors:
            texts = "; ".join(str(error) for error in reply.errors)
            return _Attempt(Rejected(reply.errors, (draft.exchange("rejected", http, error=texts),)))
        return _Attempt(Answered(reply, (draft.exchange("answered", http),)))


class _Stopwatch:
    """When something began, and how long ago by the monotonic clock."""

    def __init__(self) -> None:
        self.started_at: datetime = now()
        self._start = time.monotonic()

    def elapsed_ms(self) -> int:
        return round((time.monotonic() - self._start) * 1000)


@dataclass(frozen=True)
class _ExchangeDraft:
    """Our half of an exchange, while the other half is awaited."""

    service_id: str
    bill_number: str | None
    clock: _Stopwatch
    encrypted_request: str = field(repr=False)
    rek: str = field(repr=False)
    request_plain: str | None = field(default=None, repr=False)
    sek: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)

    def exchange(
        self,
        outcome: ExchangeOutcome,
        http: HttpReply | None = None,
        *,
        status: int | None = None,
        error: str | None = None,
    ) -> Exchange:
        # Under the REK, and so as good as sealed, is only what opened; a login's reply and anything else is in clear.
        ciphertext = outcome in ("answered", "rejected") and self.service_id != AUTH
        body = None if http is None else _text(http, None if ciphertext else KEPT_GARBAGE)
        return Exchange(
            service_id=self.service_id,
            bill_number=self.bill_number,
            outcome=outcome,
            started_at=self.clock.started_at,
            duration_ms=self.clock.elapsed_ms(),
            status_code=http.status if http else status,
            error=error,
            request_plain=self.request_plain,
            encrypted_request=self.encrypted_request,
            encrypted_response=body if ciphertext else None,
            response_plain=None if ciphertext else body,
            rek=self.rek,
            sek=self.sek,
            auth_token=self.auth_token,
        )

    def broken(self, http: HttpReply | None, error: str) -> Exchange:
        """The exchange when the reply could not be read: with what came, unless that is what can't be handled."""
        try:
            return self.exchange("unknown", http, error=error)
        except Exception:  # no memory for its text, say
            return self.exchange("unknown", status=http.status if http else None, error=error)


def _after_new_login(first: Outcome, second: _Attempt) -> Outcome:
    """Join both attempts' exchanges; after a refused session, only an answer is more than Unknown.

    The treasury may have taken the first one, whatever it said of the session.
    """
    exchanges = first.exchanges + second.outcome.exchanges
    if second.session_over:
        return Unknown("the session was over again after a new login", exchanges, understood=True)
    if isinstance(second.outcome, NeverSent):
        return Unknown(f"the session was over, and then: {second.outcome.reason}", exchanges, understood=True)
    if isinstance(second.outcome, Rejected):
        return replace(second.outcome, exchanges=exchanges, sent_before=True)
    return replace(second.outcome, exchanges=exchanges)


def _decrypt(http: HttpReply, rek: bytes) -> Reply:
    try:
        ciphertext = base64.b64decode(http.body.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise WireError("the reply is not base64") from None
    return parse_reply(aes_decrypt(rek, ciphertext))


def _read_login(reply: HttpReply, app_key: bytes) -> tuple[str, bytes]:
    """Read the token and the session key out of a login reply."""
    if reply.status >= 500 or reply.status in (408, 429):
        raise TreasuryUnreachableError(f"no login: the treasury answers HTTP {reply.status}")
    if not 200 <= reply.status < 300:
        hint = "check the host" if reply.status < 400 else "check client id, client secret and public key"
        raise TreasuryLoginError(f"the treasury refuses the login with HTTP {reply.status}: {hint}")
    try:
        document: Any = decode(reply.body)
        token, sealed_sek = document["authToken"], document["sek"]
        sek = aes_decrypt(app_key, base64.b64decode(sealed_sek, validate=True))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise TreasuryLoginError("the treasury's login reply is not authToken and base64 sek in JSON") from None
    except WireError as error:
        raise TreasuryLoginError(f"the treasury's session key does not open: {error}; check the public key") from None
    if len(sek) != AES_KEY_BYTES:
        raise TreasuryLoginError(f"the treasury's session key has {len(sek)} bytes; it must be {AES_KEY_BYTES}")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TreasuryLoginError("the treasury's login reply has no authToken that a header can carry")
    return token, sek


def _outcome_of(error: TransportError) -> ExchangeOutcome:
    return "unknown" if error.sent else "never_sent"


def _text(http: HttpReply, limit: int | None = KEPT_GARBAGE) -> str:
    body = http.body if limit is None else http.body[:limit]
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
