"""The treasury's answers that nobody understands, with the PIs behind them, and those that are asked about again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from ifms.ledger.database import Connection
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


def behind(connection: Connection, answers: Collection[UUID]) -> dict[UUID, list[str]]:
    """The numbers of the PIs whose last answer is one of these, by answer; of each, the first MOST_SHOWN."""
    found: dict[UUID, list[str]] = {}
    rows = connection.execute(
        """
        SELECT a.id, p.pi_number FROM unnest(%s::uuid[]) AS a (id)
        CROSS JOIN LATERAL (SELECT pi_number FROM ifms.payment_instruction WHERE unknown_answer_id = a.id
                            ORDER BY pi_number LIMIT %s) p
        ORDER BY a.id, p.pi_number
        """,
        (list(answers), MOST_SHOWN),
    ).fetchall()
    for answer, number in rows:
        found.setdefault(answer, []).append(number)
    return found


def not_understood(connection: Connection) -> tuple[int, int]:
    """How many answers without a meaning have PIs behind them, and how many PIs those are."""
    row = connection.execute(
        """
        SELECT count(DISTINCT p.unknown_answer_id), count(*) FROM ifms.payment_instruction p
        JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
        WHERE p.unknown_answer_id IS NOT NULL AND a.phrase_id IS NULL
        """
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def asked_again(connection: Connection) -> dict[UUID, list[Again]]:
    """What the site's phrases have explained and has not been asked about since, by phrase and by who asks."""
    rows = connection.execute(
        """
        SELECT a.phrase_id, p.pi_type, p.status, count(*),
               (array_agg(p.pi_number ORDER BY p.pi_number))[:%s], array_agg(DISTINCT p.tenant_id)
        FROM ifms.payment_instruction p JOIN ifms.unknown_answer a ON a.id = p.unknown_answer_id
        WHERE p.unknown_answer_id IS NOT NULL AND a.phrase_id IS NOT NULL
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        (MOST_SHOWN,),
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
