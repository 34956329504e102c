"""The treasury's answers that nobody understands, with the PIs behind them, and those that are asked about again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from ifms.cities import Cities, condition
from ifms.ledger import phrases
from ifms.ledger.database import Connection
from ifms.ledger.phrases import UnknownAnswer
from ifms.queries.instruction import NEXT_SERVICE

MOST_SHOWN = 100
"""So many of the PIs behind one answer are named."""


@dataclass(frozen=True)
class Again:
    """PIs that wait behind an answer which has a meaning now: how many `service` asks about again, and which."""

    service: str
    count: int
    pi_numbers: list[str]
    """The first MOST_SHOWN of them."""
    tenants: list[str]
    """Their cities."""


def unanswered(connection: Connection, cities: Cities) -> list[UnknownAnswer]:
    """The answers without a meaning that PIs of these cities wait behind; for all cities, those without any, too.

    A text is a sample of all cities: where only some are open, it is shown without its numbers, and theirs are counted.
    """
    answers = phrases.unknown_answers(connection)
    if cities.everywhere:
        return answers
    waiting = dict(
        connection.execute(
            f"""
            SELECT unknown_answer_id, count(*) FROM ifms.payment_instruction
            WHERE unknown_answer_id = ANY(%(answers)s) AND {condition("tenant_id")} GROUP BY 1
            """.encode(),
            {"answers": [each.id for each in answers], "cities": cities.listed},
        ).fetchall()
    )
    return [
        replace(each, sample=each.template, times=waiting[each.id], waiting=waiting[each.id])
        for each in answers
        if each.id in waiting
    ]


def behind(connection: Connection, answers: Collection[UUID], cities: Cities) -> dict[UUID, list[str]]:
    """The numbers of these cities' PIs whose last answer is one of these, by answer; of each, the first MOST_SHOWN."""
    found: dict[UUID, list[str]] = {}
    rows = connection.execute(
        f"""
        SELECT a.id, p.pi_number FROM unnest(%(answers)s::uuid[]) AS a (id)
        CROSS JOIN LATERAL (SELECT pi_number FROM ifms.payment_instruction
                            WHERE unknown_answer_id = a.id AND {condition("tenant_id")}
                            ORDER BY pi_number LIMIT %(most)s) p
        ORDER BY a.id, p.pi_number
        """.encode(),
        {"answers": list(answers), "most": MOST_SHOWN, "cities": cities.listed},
    ).fetchall()
    for answer, number in rows:
        found.setdefault(answer, []).append(number)
    return found


def doubted(connection: Connection, phrase: UUID, cities: Cities) -> list[str]:
    """The numbers of these cities' PIs that have FAILED by a phrase that was withdrawn, and may be at the treasury."""
    rows = connection.execute(
        f"""
        SELECT p.pi_number FROM ifms.ended_by_phrase e JOIN ifms.phrase f ON f.id = e.phrase_id
        JOIN ifms.payment_instruction p ON p.id = e.payment_instruction_id
        WHERE e.phrase_id = %(phrase)s AND f.withdrawn_at IS NOT NULL AND p.status = 'FAILED'
          AND (p.said_absent_at IS NULL OR p.said_absent_at <= p.found_failed_at) AND {condition("p.tenant_id")}
        ORDER BY p.pi_number
        """.encode(),
        {"phrase": phrase, "cities": cities.listed},
    ).fetchall()
    return [row[0] for row in rows]


def not_understood(connection: Connection, cities: Cities) -> tuple[int, int]:
    """How many answers without a meaning have PIs of these cities behind them, and how many PIs those are."""
    row = connection.execute(
        f"""
        SELECT count(DISTINCT p.unknown_answer_id), count(*) FROM ifms.payment_instruction p
        JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
        WHERE p.unknown_answer_id IS NOT NULL AND a.phrase_id IS NULL AND {condition("p.tenant_id")}
        """.encode(),
        {"cities": cities.listed},
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def asked_again(connection: Connection, cities: Cities) -> dict[UUID, list[Again]]:
    """What these cities' PIs wait behind that has a meaning now, and is not asked again yet: by phrase, by who asks."""
    rows = connection.execute(
        f"""
        SELECT a.phrase_id, p.pi_type, p.status, count(*),
               (array_agg(p.pi_number ORDER BY p.pi_number))[:%(most)s], array_agg(DISTINCT p.tenant_id)
        FROM ifms.payment_instruction p JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
        WHERE p.unknown_answer_id IS NOT NULL AND a.phrase_id IS NOT NULL AND {condition("p.tenant_id")}
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """.encode(),
        {"most": MOST_SHOWN, "cities": cities.listed},
    ).fetchall()
    found: dict[UUID, dict[str, Again]] = {}
    for phrase, pi_type, status, count, numbers, tenants in rows:
        service = NEXT_SERVICE.get((pi_type, status))
        if service is not None:
            services = found.setdefault(phrase, {})
            one = services.get(service, Again(service, 0, [], []))
            services[service] = Again(
                service,
                one.count + count,
                sorted(one.pi_numbers + numbers)[:MOST_SHOWN],
                sorted({*one.tenants, *tenants}),
            )
    return {phrase: list(services.values()) for phrase, services in found.items()}
