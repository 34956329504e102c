"""The site's own phrases, and the treasury's answers that no phrase matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ifms.errors import BadInputError, ConflictError, WireError
from ifms.ledger.database import Connection
from ifms.ledger.proposals import Act, Approval, use
from ifms.wire.bank import mask_long_numbers
from ifms.wire.envelope import Service
from ifms.wire.phrasebook import Meaning, Phrase, Phrasebook, normalised, shipped, template_of

MAX_SAMPLE = 1000  # characters of a text that people are shown
MAX_INDEXED = 2500  # bytes of a template: PostgreSQL takes no more than 2704 into an index


@dataclass(frozen=True)
class SitePhrase:
    """A phrase that somebody of this site has added, and until when it counted."""

    id: UUID
    services: list[str]
    text: str
    meaning: str
    reason: str
    added_by: str
    added_at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_reason: str | None

    @property
    def phrase(self) -> Phrase:
        """The phrase itself."""
        services = tuple(Service(code) for code in self.services)
        return Phrase(services, self.text, Meaning(self.meaning), f"{self.added_by}: {self.reason}", id=self.id)


@dataclass(frozen=True)
class UnknownAnswer:
    """A text of a service that no phrase matches, and how many PIs wait behind it now; times are UTC."""

    id: UUID
    service_id: str
    template: str
    sample: str
    times: int
    first_heard_at: datetime
    last_heard_at: datetime
    waiting: int


def phrasebook(connection: Connection) -> Phrasebook:
    """The phrases that count now: the shipped ones and the site's own."""
    return shipped().with_site(each.phrase for each in site_phrases(connection))


def site_phrases(connection: Connection, *, withdrawn: bool = False) -> list[SitePhrase]:
    """The site's own phrases, the oldest first; those that were withdrawn too, if wanted."""
    with connection.cursor(row_factory=class_row(SitePhrase)) as cursor:
        return cursor.execute(
            """
            SELECT id, services, text, meaning, reason, added_by, added_at, withdrawn_at, withdrawn_by, withdrawn_reason
            FROM ifms.phrase WHERE %s OR withdrawn_at IS NULL ORDER BY added_at, id
            """,
            (withdrawn,),
        ).fetchall()


def add_phrase(
    connection: Connection,
    services: Iterable[str],
    text: str,
    meaning: str,
    *,
    reason: str,
    added_by: str,
    approval: Approval = None,
) -> tuple[UUID, int]:
    """Say what a text of these services means from now on.

    PIs that wait behind it are asked about first in their next sweep. Returns the phrase's id, and how many they are.
    Where it needs a second person, `approval` is the proposal that one has approved, and is used up.

    Raises SecondPersonError without one, BadInputError for what can't be a phrase, ConflictError when the text has
    another meaning already.
    """
    text, reason, added_by = " ".join(text.split()), " ".join(reason.split()), added_by.strip()
    if not reason or not added_by:
        raise BadInputError("a phrase needs a reason, and the name of who adds it")
    codes = sorted(set(services))
    unknown = [code for code in codes if code not in list(Service)]
    if unknown:
        raise BadInputError(f"{unknown[0]!r} is no service of the treasury: {', '.join(Service)}")
    if meaning not in list(Meaning):
        raise BadInputError(f"{meaning!r} is no meaning: {', '.join(Meaning)}")
    phrase = Phrase(tuple(Service(code) for code in codes), text, Meaning(meaning), f"{added_by}: {reason}")
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('ifms.phrase', 0))")  # two people, one text
    book = phrasebook(connection)
    for service in phrase.services:
        known = next((p for p in book.phrases if service in p.services and _same(p, phrase)), None)
        if known is not None:
            raise ConflictError(f"{service}: {text!r} is known already as '{known.meaning}' ({known.source})")
    proposal = use(connection, Act.PHRASE, text, {"services": codes, "meaning": str(phrase.meaning)}, approval)
    if proposal is not None:
        reason, added_by = proposal.reason, proposal.people
    row = connection.execute(
        """
        INSERT INTO ifms.phrase (services, text, meaning, reason, added_by) VALUES (%s, %s, %s, %s, %s) RETURNING id
        """,
        (codes, text, meaning, reason, added_by),
    ).fetchone()
    assert row is not None
    return row[0], _understood(connection, phrase, row[0])


def _same(known: Phrase, new: Phrase) -> bool:
    return normalised(known.text) == normalised(new.text)


def explains(phrase: Phrase, template: str) -> bool:
    """Whether answers of this template have a meaning by this phrase."""
    # The words "bill" and "000000" stand for its bill's number and for long numbers.
    return phrase.matches(template.replace("{bill}", "bill").replace("{number}", "000000"), "bill")


def _understood(connection: Connection, phrase: Phrase, phrase_id: UUID) -> int:
    """Note which answers a new phrase explains, and let the PIs behind them be asked about first."""
    answers = connection.execute(
        "SELECT id, service_id, template FROM ifms.unknown_answer WHERE phrase_id IS NULL AND service_id = ANY(%s)",
        (list(phrase.services),),
    ).fetchall()
    ids = [row[0] for row in answers if explains(phrase, row[2])]
    if not ids:
        return 0
    connection.execute("UPDATE ifms.unknown_answer SET phrase_id = %s WHERE id = ANY(%s)", (phrase_id, ids))
    return connection.execute(
        "UPDATE ifms.payment_instruction SET polled_at = NULL WHERE unknown_answer_id = ANY(%s)", (ids,)
    ).rowcount


def note_ended(connection: Connection, pi_id: UUID, by: Collection[UUID]) -> None:
    """Note that a PI ends by what these phrases of the site say, in the transaction that makes it so.

    Raises WireError when one of them has been withdrawn since the phrasebook was read: then it ends nothing.
    """
    if not by:
        return
    ids = list(by)
    withdrawn = connection.execute(
        "SELECT withdrawn_at IS NOT NULL, text FROM ifms.phrase WHERE id = ANY(%s) ORDER BY id FOR SHARE", (ids,)
    ).fetchall()
    for gone, text in withdrawn:
        if gone:
            raise WireError(f"the phrase {mask_long_numbers(text)[:200]!r} was withdrawn meanwhile: it changes nothing")
    connection.execute(
        """
        INSERT INTO ifms.ended_by_phrase (phrase_id, payment_instruction_id)
        SELECT unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING
        """,
        (ids, pi_id),
    )


def withdraw_phrase(connection: Connection, phrase_id: UUID, *, reason: str, withdrawn_by: str) -> list[str]:
    """A phrase of this site counts no more; the answers that it explained are unknown again.

    The treasury may have what has FAILED by it, unless a person has said since that it lacks it: each of those is asked
    about before anything else is paid instead, and a payment that has no other PI waits for a person. Returns their
    numbers.

    Raises BadInputError when there is no such phrase, or nobody says why.
    """
    if not reason.strip() or not withdrawn_by.strip():
        raise BadInputError("withdrawing a phrase needs a reason, and the name of who does it")
    row = connection.execute(
        "SELECT meaning FROM ifms.phrase WHERE id = %s AND withdrawn_at IS NULL FOR NO KEY UPDATE", (phrase_id,)
    ).fetchone()
    if row is None:
        raise BadInputError(f"there is no phrase {phrase_id} of this site that counts")
    doubted = _doubt(connection, phrase_id)
    if row[0] == Meaning.UNKNOWN_BILL:  # the first of the two times that this must be said may have been by it
        connection.execute(
            """
            UPDATE ifms.payment_instruction SET absent_since = NULL
            WHERE status = 'PENDING' AND absent_since IS NOT NULL
            """
        )
    # Last, and by the clock: whatever was made of a payment before it was held here is older.
    connection.execute(
        """
        UPDATE ifms.phrase SET withdrawn_at = clock_timestamp(), withdrawn_by = %s, withdrawn_reason = %s WHERE id = %s
        """,
        (withdrawn_by.strip(), " ".join(reason.split()), phrase_id),
    )
    connection.execute("UPDATE ifms.unknown_answer SET phrase_id = NULL WHERE phrase_id = %s", (phrase_id,))
    return doubted


def _doubt(connection: Connection, phrase_id: UUID) -> list[str]:
    """The treasury may have what has FAILED by this phrase; the numbers of those PIs."""
    rows = connection.execute(
        """
        UPDATE ifms.payment_instruction p SET uncertain = true FROM ifms.ended_by_phrase e
        WHERE e.phrase_id = %s AND p.id = e.payment_instruction_id AND p.status = 'FAILED'
          AND (p.said_absent_at IS NULL OR p.said_absent_at <= p.found_failed_at)
        RETURNING p.id, p.pi_number
        """,
        (phrase_id,),
    ).fetchall()
    # Whatever holds it back already, and whoever is at work on it: a person looks first; once released, it is asked.
    connection.execute(
        """
        UPDATE ifms.payment y SET held_since = now(), hold_code = 'PI_IN_DOUBT', hold_message =
                'the treasury may have ' || n.numbers || ', FAILED by what a phrase said that was withdrawn: let the '
                'payment be resubmitted, and the treasury is asked about each before it gets another',
            claim_token = NULL, claimed_until = NULL
        FROM (SELECT tenant_id, payment_number,
                     string_agg('PI ' || pi_number, ', ' ORDER BY created_at, pi_number) AS numbers
              FROM ifms.payment_instruction WHERE id = ANY(%s) GROUP BY 1, 2) n
        WHERE (y.tenant_id, y.payment_number) = (n.tenant_id, n.payment_number) AND y.paid_by IS NULL
        """,
        ([row[0] for row in rows],),
    )
    return sorted(row[1] for row in rows)


def note_unknown(connection: Connection, service: Service, texts: Sequence[str], bill: str | None) -> UUID | None:
    """Count answers that nobody understood; the id of the first of them, None when there is none."""
    first: UUID | None = None
    for text in texts:
        row = connection.execute(
            """
            INSERT INTO ifms.unknown_answer AS known (service_id, template, sample) VALUES (%s, %s, %s)
            ON CONFLICT (service_id, template) DO UPDATE
            SET times = known.times + 1, last_heard_at = now(), sample = excluded.sample, phrase_id = NULL
            RETURNING id
            """,
            (service, _cut(template_of(text, bill)), mask_long_numbers(text)[:MAX_SAMPLE]),
        ).fetchone()
        assert row is not None
        first = first or row[0]
    return first


def _cut(template: str) -> str:
    return template[:MAX_SAMPLE].encode()[:MAX_INDEXED].decode(errors="ignore")


def unknown_answers(connection: Connection) -> list[UnknownAnswer]:
    """The answers that nobody has given a meaning, those with most PIs behind them first."""
    with connection.cursor(row_factory=class_row(UnknownAnswer)) as cursor:
        return cursor.execute(
            """
            SELECT a.id, a.service_id, a.template, a.sample, a.times, a.first_heard_at, a.last_heard_at,
                   coalesce(p.waiting, 0) AS waiting
            FROM ifms.unknown_answer a
            LEFT JOIN (SELECT unknown_answer_id, count(*) AS waiting FROM ifms.payment_instruction
                       WHERE unknown_answer_id IS NOT NULL GROUP BY 1) p ON p.unknown_answer_id = a.id
            WHERE a.phrase_id IS NULL ORDER BY waiting DESC, a.last_heard_at DESC, a.id
            """
        ).fetchall()


def waiting_behind(connection: Connection, answer_id: UUID, limit: int = 100) -> list[tuple[str, str, str]]:
    """(PI number, city, status) of the PIs whose last answer is this one."""
    return connection.execute(
        """
        SELECT pi_number, tenant_id, status FROM ifms.payment_instruction WHERE unknown_answer_id = %s
        ORDER BY pi_number LIMIT %s
        """,
        (answer_id, limit),
    ).fetchall()
