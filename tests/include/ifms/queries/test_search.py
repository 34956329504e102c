"""Searching on a real ledger: each filter by its index, pages that neither lose nor repeat a PI."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import psycopg.sql
import pytest
from support.ledger import Ledger

from ifms.cities import Cities
from ifms.errors import BadInputError
from ifms.queries import search
from ifms.queries.search import Criteria, Order


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """Twelve PIs; some made at the same instant."""
    ledger.fund(100_000)
    for _ in range(12):
        ledger.instruct(*ledger.payment(100))
    with psycopg.connect(ledger.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET created_at = date_trunc('day', now()) "
            "- (('x' || substr(md5(pi_number), 1, 2))::bit(8)::int % 4) * interval '1 day'"
        )
    return ledger


def numbers(ledger: Ledger, **criteria: Any) -> list[str]:
    with ledger.connect() as connection:
        return [line.pi_number for line in search.find(connection, Criteria(**criteria), Cities.ALL).lines]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("ascending", [True, False])
def test_pages_of_any_size_neither_lose_nor_repeat_a_pi(filled: Ledger, order: Order, ascending: bool):
    everything = numbers(filled, limit=100, order=order, ascending=ascending)
    assert len(set(everything)) == 12
    for size in (1, 2, 5, 11, 12, 13):
        walked: list[str] = []
        after = None
        with filled.connect() as connection:
            while True:
                page = search.find(
                    connection, Criteria(limit=size, after=after, order=order, ascending=ascending), Cities.ALL
                )
                walked += [line.pi_number for line in page.lines]
                after = page.next
                if after is None:
                    break
                assert len(page.lines) == size
        assert walked == everything


def test_offsets_count_pis_not_their_beneficiaries(filled: Ledger):
    everything = numbers(filled, limit=100)
    assert numbers(filled, limit=3, offset=4) == everything[4:7]
    assert numbers(filled, limit=0) == []


def test_a_line_says_how_many_were_paid(filled: Ledger):
    with filled.connect() as connection:
        line = search.find(connection, Criteria(limit=1), Cities.ALL).lines[0]
    assert (line.beneficiary_count, line.successful_count, line.failed_count) == (2, 0, 0)
    assert line.bill_numbers == ["WB/2024-25/000001"]


def test_totals_are_counted_up_to_a_limit(filled: Ledger, monkeypatch: pytest.MonkeyPatch):
    with filled.connect() as connection:
        assert search.count(connection, Criteria(limit=2), Cities.ALL) == 12
        assert search.count(connection, Criteria(bill_number="WB/none"), Cities.ALL) == 0
        monkeypatch.setattr(search, "COUNT_LIMIT", 10)
        assert search.count(connection, Criteria(), Cities.ALL) == 11
        assert search.count(connection, Criteria(), Cities.ALL, most=11) == 12


def test_for_action_leaves_out_what_has_a_successor(filled: Ledger):
    assert len(numbers(filled, for_action=True)) == 12  # all of them are PENDING
    with psycopg.connect(filled.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment_instruction SET status = 'INITIATED'")
        newest, *_, oldest = numbers(filled, limit=100)
        connection.execute("UPDATE ifms.payment_instruction SET status = 'FAILED' WHERE pi_number = %s", (oldest,))
        connection.commit()
        assert numbers(filled, for_action=True) == [oldest]
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ifms.payment_instruction SET payment_number = (SELECT payment_number "
            "FROM ifms.payment_instruction WHERE pi_number = %s), created_at = now() WHERE pi_number = %s",
            (oldest, newest),
        )
        connection.commit()
    assert numbers(filled, for_action=True) == []


def test_for_action_has_what_is_completed_while_somebody_waits_to_be_paid_again(filled: Ledger):
    first, second, *_ = numbers(filled, limit=100)
    with psycopg.connect(filled.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ifms.payment_instruction SET status = 'COMPLETED'")
        connection.execute(
            """
            UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = '2024-06-01' WHERE payment_instruction_id
                IN (SELECT id FROM ifms.payment_instruction WHERE pi_number = ANY(%s))
            """,
            ([first, second],),
        )
        connection.commit()
        assert numbers(filled, for_action=True) == [first, second]
        connection.execute("SET session_replication_role = replica")
        connection.execute(  # a later one pays those of the second
            """
            UPDATE ifms.beneficiary b SET beneficiary_number = f.beneficiary_number, created_at = now()
            FROM (SELECT b.beneficiary_number, row_number() OVER (ORDER BY b.id) AS n FROM ifms.beneficiary b
                  JOIN ifms.payment_instruction p ON p.id = b.payment_instruction_id WHERE p.pi_number = %s) f
            JOIN (SELECT b.id, row_number() OVER (ORDER BY b.id) AS n FROM ifms.beneficiary b
                  WHERE b.payment_instruction_id = (SELECT id FROM ifms.payment_instruction
                      WHERE pi_number <> ALL(%s) LIMIT 1)) t USING (n)
            WHERE b.id = t.id
            """,
            (second, [first, second]),
        )
        connection.commit()
    assert numbers(filled, for_action=True) == [first]


def test_what_the_works_are_finds_their_pis(filled: Ledger):
    first, second, *_ = numbers(filled, limit=100)
    with psycopg.connect(filled.dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        for number, ward, amount in ((first, "W1", "250.00"), (second, "W2", "1250.50")):
            connection.execute(
                """
                UPDATE ifms.payment_instruction SET gross_amount = %(amount)s, net_amount = %(amount)s, hoa_code = %(ward)s,
                    additional_details = jsonb_build_object('ward', jsonb_build_array(%(ward)s::text, 'W9'),
                        'referenceId', jsonb_build_array('WO/' || %(ward)s), 'projectNumber', jsonb_build_array('PJ/1'),
                        'projectName', jsonb_build_array('Sample Project ' || %(ward)s))
                WHERE pi_number = %(number)s
                """,
                {"number": number, "ward": ward, "amount": amount},
            )
    both = [first, second]
    assert (
        numbers(filled, ward="W1") == numbers(filled, work_order="WO/W1") == numbers(filled, hoa_code="W1") == [first]
    )
    assert numbers(filled, ward="W9") == numbers(filled, project="PJ/1") == both
    assert numbers(filled, project="Sample Project W2") == numbers(filled, ward="W9", work_order="WO/W2") == [second]
    assert numbers(filled, ward="W1", work_order="WO/W2") == numbers(filled, ward="WO/W1") == []
    assert numbers(filled, amount_from=Decimal(250), amount_to=Decimal("1250.50")) == both
    assert numbers(filled, amount_from=Decimal("250.01")) == [second]
    assert second not in numbers(filled, amount_to=Decimal("1250.49"), limit=100)
    with filled.connect() as connection:
        line, other = search.find(connection, Criteria(ward="W9"), Cities.ALL).lines
    assert (line.wards, line.work_order_numbers, line.project_numbers) == (["W1", "W9"], ["WO/W1"], ["PJ/1"])
    assert (line.hoa_code, other.hoa_code) == ("W1", "W2")


def test_another_citys_are_not_there(filled: Ledger):
    everything = Criteria(limit=100)
    with filled.connect() as connection:
        [tenant] = {line.tenant_id for line in search.find(connection, everything, Cities.ALL).lines}
        own, other = Cities.of(tenant), Cities.of("od.sampleb")
        line = search.find(connection, everything, own).lines[0]
        ways = (
            {},
            {"ids": [line.id]},
            {"pi_numbers": [line.pi_number]},
            {"number": line.pi_number[:5]},
            {"tenant_id": tenant},
            {"payment_number": line.payment_number},
            {"bill_number": line.bill_numbers[0]},
            {"hoa_code": line.hoa_code},
            {"amount_from": line.net_amount, "amount_to": line.net_amount},
            {"status": line.status},
            {"for_action": True},
            {"offset": 1},
            {"order": Order.CHANGED, "ascending": True},
        )
        for way in ways:
            asked = Criteria(**{"limit": 100} | way)
            mine = search.find(connection, asked, own).lines
            assert mine
            assert mine == search.find(connection, asked, own | other).lines, way
            for nobodys in (other, Cities.of("od.sampleb", "od.samplec"), Cities.NONE):
                assert search.find(connection, asked, nobodys).lines == [], way
                assert search.count(connection, asked, nobodys) == 0, way
        assert search.find(connection, Criteria(tenant_id="od.sampleb"), own).lines == []


@pytest.mark.parametrize("after", ["x", "bm9uZQ==", "WyJhIiwgImIiXQ==", "ä", "[" * 5000, "WzEsMl0=", "bnVsbA=="])
def test_a_cursor_that_is_none_is_the_callers_error(filled: Ledger, after: str):
    with pytest.raises(BadInputError, match="search anew"):
        numbers(filled, after=after)


@pytest.mark.parametrize("text", ["'", '"', "%", "_", "\\", "' OR true --", "]", "{"])
def test_no_text_is_more_than_a_text(filled: Ledger, text: str):
    names = ("number", "bill_number", "payment_number", "parent_pi_number", "tenant_id", "status")
    for name in (*names, "work_order", "project", "ward", "hoa_code"):
        assert numbers(filled, **{name: text}) == [], name


WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "all": ({}, "payment_instruction_by_time"),
    "changed": ({"order": Order.CHANGED}, "payment_instruction_by_change"),
    "city": ({"tenant_id": "od.city3"}, "payment_instruction_by_city"),
    "the one that is open": ({"cities": ["od.city3"]}, "payment_instruction_by_city"),
    "some that are open": ({"cities": ["od.city3", "od.city4"]}, "payment_instruction_by_"),
    "status": ({"status": "FAILED"}, "payment_instruction_by_status"),
    "city and status": ({"tenant_id": "od.city2", "status": "FAILED"}, "payment_instruction_by_city_status"),
    "payment": ({"payment_number": "EP/1"}, "payment_instruction_by_payment"),
    "numbers": ({"pi_numbers": ["PI-1", "PI-2"]}, "payment_instruction_pi_number_key"),
    "number": (
        {"number": "PI-SA/2024-25/0000"},
        "number",
    ),  # by text_pattern_ops, or by the key where the collation is C
    "parent": ({"parent_pi_number": "PI-1"}, "payment_instruction_by_parent"),
    "bill": ({"bill_number": "WB/1"}, "payment_instruction_by_details"),
    "work order": ({"work_order": "WO/7"}, "payment_instruction_by_details"),
    "project": ({"project": "PJ/7"}, "payment_instruction_by_details"),
    "ward": ({"ward": "W7"}, "payment_instruction_by_details"),
    "ward of a city": ({"ward": "W7", "tenant_id": "od.city3"}, "payment_instruction_by_"),
    "head": ({"hoa_code": "rare"}, "payment_instruction_by_head"),
    "amount": ({"amount_from": Decimal(7), "amount_to": Decimal("7.99")}, "payment_instruction_by_amount"),
    "at least": ({"amount_from": Decimal(300)}, "payment_instruction_by_amount"),
    "revised": ({"pi_type": "REVISED"}, "payment_instruction_revised"),
    "inactive": ({"is_active": False}, "payment_instruction_inactive"),
    "for action": ({"for_action": True}, "payment_instruction_for_action"),
    "days": ({"created_from": datetime.now(UTC) - timedelta(days=3)}, "payment_instruction_by_time"),
}


@pytest.fixture(scope="module")
def many(module_ledger_dsn: str) -> str:
    """The DSN of a ledger with many rows, which nothing here changes."""
    with psycopg.connect(module_ledger_dsn, autocommit=True) as connection:
        _pretend_many(connection)
    return module_ledger_dsn


@pytest.mark.tier("prove")  # among many rows, which take their time; no change of money hangs on it
@pytest.mark.parametrize("way", list(WAYS))
def test_each_filter_has_its_index(many: str, way: str):
    """On statistics of a filled table: what the planner would do with a million PIs is asked of a copy of their shape."""
    given, index = WAYS[way]
    cities = Cities.of(*given["cities"]) if "cities" in given else Cities.ALL
    with psycopg.connect(many) as connection:
        criteria = Criteria(**{name: value for name, value in given.items() if name != "cities"})
        statement = psycopg.sql.SQL("EXPLAIN SELECT p.id FROM ifms.payment_instruction p WHERE {} {} LIMIT 51").format(
            search._conditions(criteria, cities), search._order(criteria)
        )
        plan = "\n".join(row[0] for row in connection.execute(statement, search._values(criteria, cities)))
    assert index in plan, plan
    assert "Index" in plan
    assert "Seq Scan on payment_instruction p" not in plan, plan


def _pretend_many(connection: Any) -> None:
    """Fill the table as quickly as can be: 20,000 rows without their beneficiaries, which no filter looks at."""
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        """
        INSERT INTO ifms.payment_instruction (tenant_id, pi_number, pi_type, parent_pi_number, payment_number, status,
            is_active, sanction_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id,
            ssu_allotment_id, allotment_serial_no, gross_amount, net_amount, beneficiary_count, bill_date,
            financial_year, purpose, org_bill_ref_number, org_bill_date, additional_details, created_at, updated_at)
        SELECT 'od.city' || n % 200, 'PI-SA/2024-25/' || lpad(n::text, 6, '0'),
               CASE WHEN n % 100 = 0 THEN 'REVISED' ELSE 'ORIGINAL' END,
               CASE WHEN n % 100 = 0 THEN 'PI-SA/2024-25/' || lpad((n - 1)::text, 6, '0') END, 'EP/' || n,
               CASE WHEN n % 50 = 0 THEN 'FAILED' WHEN n % 60 = 0 THEN 'PARTIAL' ELSE 'SUCCESSFUL' END, n % 50 <> 0,
               gen_random_uuid(), 'h', 'd', 's', 'g', 'c', 'm', 'a', 0, 1 + n * 7919 % 20000 / 100.0,
               1 + n * 7919 % 20000 / 100.0, 1, now(), '2024-25', 'x',
               CASE WHEN n % 100 = 0 THEN 'r' END, CASE WHEN n % 100 = 0 THEN now() END,
               jsonb_build_object('billNumber', jsonb_build_array('WB/' || n), 'ward', jsonb_build_array('W' || n % 2000),
                   'referenceId', jsonb_build_array('WO/' || n / 4),
                   'projectNumber', jsonb_build_array('PJ/' || n / 9)), now() - n * interval '1 minute',
               now() - n * 7919 % 20000 * interval '1 minute'
        FROM generate_series(1, 20000) n
        """
    )
    connection.execute("SELECT gin_clean_pending_list('ifms.payment_instruction_by_details')")  # as vacuum does
    connection.execute("ANALYZE ifms.payment_instruction")
