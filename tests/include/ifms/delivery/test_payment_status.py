"""The platform hears of each change, in order per payment, at least once; what it refuses stays visible."""

import threading
from collections import Counter

import psycopg
import pytest
from support import failed
from support.bad_ones import BadOnes, under_one_number
from support.databases import rewrite

from ifms.delivery import payment_status
from ifms.delivery.payment_status import REFUSALS, changed, deliver
from ifms.errors import PlatformReplyError, SweepNeedsAttentionError, SweepStoppedError
from ifms.ledger import outbox as outbox_rows
from ifms.ledger.claims import Claim
from ifms.ledger.payments import release_holds
from ifms.platform.client import PlatformClient
from ifms.platform.models import Payment

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 1})


def platform_payment(simulators):
    return simulators.ask_platform("GET", "state")["payments"][0]


def lines(payment):
    return [
        line["status"]
        for bill in payment["bills"]
        for detail in bill["billDetails"]
        for line in detail["payableLineItems"]
    ]


def settle(simulators):
    while simulators.ask_platform("GET", "state")["waiting"]:
        pass


def outbox(adapter):
    return adapter.rows("SELECT * FROM ifms.outbox ORDER BY id")


def due_now(adapter):
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET next_attempt_at = now()")


def test_a_paid_payment_ends_successful_on_every_level(adapter, simulators):
    adapter.cycle()
    sweep = adapter.run("RELAY")
    assert sweep.counts["delivered"] == 2  # INITIATED, then SUCCESSFUL
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "SUCCESSFUL"
    assert set(lines(payment)) == {"SUCCESSFUL"}
    bills = simulators.ask_platform("GET", "state")["bills"]
    assert {bill["paymentStatus"] for bill in bills if bill["wfStatus"] == "APPROVED"} == {"SUCCESSFUL"}
    assert adapter.run("RELAY").counts["delivered"] == 0


def test_a_failed_and_corrected_payment_is_told_line_by_line(adapter, simulators):
    adapter.cycle()
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"]
    simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
    adapter.run("FD")
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "PARTIAL"
    assert Counter(lines(payment)) == Counter(SUCCESSFUL=3, FAILED=1)
    assert {bill["status"] for bill in payment["bills"]} == {"PARTIAL"}
    failed = adapter.rows("SELECT beneficiary_id FROM ifms.failed_beneficiary")[0]["beneficiary_id"]
    change = {"tenantId": "od.samplea", "referenceId": failed, "accountNumber": "000099990001"}
    simulators.ask_platform("POST", "accounts", change)
    adapter.correct()
    adapter.run("RELAY")
    settle(simulators)
    assert Counter(lines(platform_payment(simulators))) == Counter(SUCCESSFUL=3, INITIATED=1)
    adapter.run("FTPS")
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "SUCCESSFUL"
    assert set(lines(payment)) == {"SUCCESSFUL"}


def test_what_the_platform_has_not_stored_yet_is_told_once_more_with_what_follows(adapter, simulators):
    """It answers first and stores later: what it shows meanwhile is old, and told back would undo what it was told."""
    adapter.cycle()
    [pi] = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")
    simulators.ask_treasury("POST", "failures", {"bill_number": pi["pi_number"], "beneficiaries": 1})
    adapter.run("FD")
    simulators.ask_platform("POST", "settings", {"persist_ms": 1500})
    assert adapter.run("RELAY").counts["delivered"] == 3  # INITIATED, SUCCESSFUL, and one line FAILED
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "PARTIAL"
    assert Counter(lines(payment)) == Counter(SUCCESSFUL=3, FAILED=1)


def test_a_platform_that_is_down_delays_and_drops_nothing(adapter, simulators):
    adapter.cycle()
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "http_status", "status": 503})
    for _ in range(REFUSALS + 2):
        sweep = adapter.run("RELAY")
        assert sweep.counts["delivered"] == 0
        due_now(adapter)
    first, second = outbox(adapter)
    assert (first["attempts"], second["attempts"]) == (REFUSALS + 2, 0)
    assert first["set_aside_at"] is None
    assert "503" in first["last_error"]
    simulators.ask_platform("DELETE", "rules")
    adapter.run("RELAY")
    assert all(row["delivered_at"] for row in outbox(adapter))


def test_a_run_that_has_fallen_behind_its_lease_says_nothing(adapter, simulators, monkeypatch):
    """Another run may have told the platform something newer, which this one's message would undo."""
    adapter.cycle()
    with monkeypatch.context() as patch:
        patch.setattr(Claim, "seconds_left", property(lambda _: 1.0))
        assert adapter.run("RELAY").counts["fallen_behind"] == 1
    assert "payment_update" not in simulators.ask_platform("GET", "state")["calls"]
    assert adapter.run("RELAY").counts["delivered"] == 0  # its claim has not run out yet
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET claimed_until = now() - interval '1 second'")
    assert adapter.run("RELAY").counts["delivered"] == 2


def test_the_asynchronous_payment_is_waited_for(adapter, simulators):
    """ "Payment id is invalid" right after the payment was created: tried again, delivered."""
    adapter.cycle()
    error = {"code": "EG_EXPENSE_PAYMENT_UPDATE_ERROR", "message": "Payment id is invalid"}
    rule = {"service": "payment_update", "effect": "errors", "times": 1}
    simulators.ask_platform("POST", "rules", rule | error)
    adapter.run("RELAY")
    assert outbox(adapter)[0]["delivered_at"] is None
    due_now(adapter)
    adapter.run("RELAY")
    assert all(row["delivered_at"] for row in outbox(adapter))


def test_what_is_refused_for_good_is_set_aside_and_sent_again_on_request(adapter, simulators):
    adapter.cycle()
    error = {"code": "EG_PAYMENT_UPDATE_STATUS_NOTNULL", "message": "sample refusal"}
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "errors"} | error)
    for _ in range(REFUSALS - 1):
        adapter.run("RELAY")
        due_now(adapter)
    with pytest.raises(SweepNeedsAttentionError, match="set aside: .*sample refusal"):
        adapter.run("RELAY")
    first, second = outbox(adapter)
    assert first["set_aside_at"] is not None
    simulators.ask_platform("DELETE", "rules")
    assert adapter.run("RELAY").counts["delivered"] == 0  # what follows waits, so that the order holds
    assert second["delivered_at"] is None
    sweep = adapter.relay(again=[first["id"]])
    assert sweep.counts["delivered"] == 2


def test_a_message_that_is_sent_again_takes_back_nothing_that_was_told_since(adapter, simulators):
    """Told that it waits for funds while it was cancelled on the platform; paid since; then that message is sent again."""
    adapter.run("PA")
    adapter.run("PI")
    settle(simulators)
    number = platform_payment(simulators)["paymentNumber"]
    simulators.ask_platform("POST", "statuses", {"paymentNumber": number, "status": "CANCELLED"})
    adapter.run("RELAY")
    [closed] = [row["id"] for row in outbox(adapter) if row["undeliverable"]]
    simulators.ask_platform("POST", "statuses", {"paymentNumber": number, "status": "INITIATED"})
    for service in ("VA", "PI", "PIS", "PAG", "PD", "RELAY"):
        adapter.run(service)
    settle(simulators)
    assert platform_payment(simulators)["status"] == "SUCCESSFUL"
    adapter.relay(again=[closed])
    settle(simulators)
    told = platform_payment(simulators)
    assert {told["status"], *lines(told)} == {"SUCCESSFUL"}


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})
def test_a_message_that_was_committed_late_takes_back_nothing(adapter, simulators):
    """Its transaction began first, and its number is lower; another's about the same payment was delivered meanwhile."""
    failed.paid_and_failed(adapter, payees=3, failures=1)
    adapter.run("RELAY")
    pi = failed.original(adapter)
    named = "SELECT line_item_ids AS lines FROM ifms.beneficiary ORDER BY beneficiary_number"
    corrected, returned, _ = (row["lines"] for row in adapter.rows(named))
    of = (pi["tenant_id"], pi["payment_number"])
    with psycopg.connect(adapter.dsn) as late, psycopg.connect(adapter.dsn) as early:
        outbox_rows.enqueue_line_statuses(
            late, *of, corrected, "INITIATED", status="INITIATED", reference_status="PAYMENT_INITIATED"
        )
        told = {"status": "PARTIAL", "reference_status": "PAYMENT_PARTIAL", "above": "PARTIAL"}
        outbox_rows.enqueue_line_statuses(early, *of, returned, "FAILED", **told)
        early.commit()
        adapter.run("RELAY")
        late.commit()
    adapter.run("RELAY")
    settle(simulators)
    assert sorted(lines(platform_payment(simulators))) == ["FAILED", "INITIATED", "SUCCESSFUL"]


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 3})
def test_only_the_messages_named_are_sent_again_and_all_when_none_is(adapter):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET set_aside_at = now(), attempts = %s", (REFUSALS,))
    first, *others = outbox(adapter)
    assert len(others) >= 2
    sweep = adapter.relay(again=[first["id"]])
    assert (sweep.counts["sent_again"], sweep.counts["delivered"]) == (1, 1)
    assert [row["id"] for row in outbox(adapter) if row["delivered_at"]] == [first["id"]]
    sweep = adapter.relay(again=[])
    assert (sweep.counts["sent_again"], sweep.counts["delivered"]) == (len(others), len(others))


def all_told(adapter):
    return [row["tenant_id"] for row in outbox(adapter) if row["delivered_at"]]


@pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 2})
def test_a_city_whose_payments_can_not_be_looked_up_does_not_keep_the_others(adapter, monkeypatch):
    for service in ("VA", "PA", "PI"):
        adapter.run(service)
    bad = BadOnes(monkeypatch, "payment/v1/_search", failed.TENANT)
    adapter.run("RELAY")
    waiting = [row for row in outbox(adapter) if not row["delivered_at"]]
    assert {row["tenant_id"] for row in waiting} == {failed.TENANT}
    assert len(waiting) >= 2
    assert all((row["attempts"], "HTTP 500" in row["last_error"]) == (1, True) for row in waiting)
    assert len(set(all_told(adapter))) == 1
    assert failed.TENANT not in all_told(adapter)
    bad.texts = ()
    due_now(adapter)
    assert adapter.run("RELAY").counts["delivered"] == len(waiting)


def test_a_platform_that_is_down_is_remarked(adapter, simulators, caplog):
    adapter.cycle()
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "http_status", "status": 503})
    adapter.run("RELAY")
    assert [said for said in caplog.messages if "503" in said and "about payment" in said]


def test_a_payment_that_the_platform_does_not_find_is_looked_for_again(adapter):
    adapter.cycle()
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute(
            """
            INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload)
            SELECT topic, tenant_id, 'another', payload || '{"paymentNumber": "EP/none"}' FROM ifms.outbox LIMIT 1
            """
        )
    assert adapter.run("RELAY").counts["delivered"] == 2
    unknown = outbox(adapter)[-1]
    assert (unknown["delivered_at"], unknown["attempts"]) == (None, 1)
    assert unknown["last_error"] == "payment EP/none is not found"


def test_a_platform_that_may_take_longer_than_a_lease_is_told_all_the_same(adapter, simulators):
    adapter.cycle()
    sweep = adapter.sweep("RELAY")
    with sweep, PlatformClient(simulators.platform_config(timeout_seconds=600)) as platform:
        deliver(sweep, platform)
    assert (sweep.counts["delivered"], sweep.counts["fallen_behind"]) == (2, 0)


def test_at_its_fifth_refusal_a_message_is_set_aside(adapter, simulators):
    one_payment(adapter)
    adapter.run("PI")
    error = {"code": "SAMPLE", "message": "sample refusal"}
    simulators.ask_platform("POST", "rules", {"service": "payment_update", "effect": "errors"} | error)
    with psycopg.connect(adapter.dsn) as connection:
        connection.execute("UPDATE ifms.outbox SET attempts = 3")
    adapter.run("RELAY")
    [message] = outbox(adapter)
    assert (message["attempts"], message["set_aside_at"]) == (4, None)
    due_now(adapter)
    with pytest.raises(SweepNeedsAttentionError, match="was refused 5 times and is set aside"):
        adapter.run("RELAY")


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 3})
def test_one_payment_that_can_not_be_read_does_not_keep_the_others(adapter, monkeypatch):
    one_payment(adapter)
    adapter.run("PI")
    search = PlatformClient.payments

    def all_but_one(*args, **kwargs):
        _, *others = search(*args, **kwargs)
        yield from others
        raise PlatformReplyError("sample: one can't be read")

    monkeypatch.setattr(PlatformClient, "payments", all_but_one)
    adapter.run("RELAY")
    waiting = [row for row in outbox(adapter) if not row["delivered_at"]]
    assert [(row["attempts"], row["last_error"]) for row in waiting] == [(1, "sample: one can't be read")]
    assert len(outbox(adapter)) >= 3


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 4})
def test_one_payment_that_can_not_be_sent_back_keeps_no_other(adapter, simulators, monkeypatch):
    """The platform wants a status on every level, and has none on a line that no message is about."""
    adapter.cycle()
    adapter.relay()
    with psycopg.connect(adapter.dsn) as connection:  # as after an import: what the Java adapter has told is not here
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM ifms.outbox")
    pis = adapter.rows("SELECT * FROM ifms.payment_instruction ORDER BY beneficiary_count DESC, created_at")
    spoiled = pis[0]["payment_number"]
    assert pis[0]["beneficiary_count"] > 1
    for each in pis:
        failed.fail(adapter, 1, each["pi_number"])
    adapter.run("FD")
    real = PlatformClient.payments

    def payments(self, tenant, **criteria):
        for payment in real(self, tenant, **criteria):
            for line in payment.bills[0].bill_details[-1].payable_line_items:
                line.status = None if payment.payment_number == spoiled else line.status
            yield payment

    monkeypatch.setattr(PlatformClient, "payments", payments)
    sweep = adapter.relay()
    assert (sweep.counts["delivered"], sweep.counts["try_later"]) == (len(pis) - 1, 1)
    for _ in range(REFUSALS - 2):
        due_now(adapter)
        adapter.relay()
    due_now(adapter)
    with pytest.raises(SweepNeedsAttentionError, match=r"5 times and is set aside: payment .* has no status"):
        adapter.relay()
    [left] = adapter.rows("SELECT * FROM ifms.outbox WHERE delivered_at IS NULL")
    assert left["set_aside_at"] is not None
    assert left["payload"]["paymentNumber"] == spoiled


def test_payments_that_the_search_fails_about_keep_no_other(adapter, simulators, monkeypatch):
    order = {"type": "wage", "tenantId": failed.TENANT, "payees": 1, "count": 8, "with_payments": True}
    bills = simulators.ask_platform("POST", "bills", order)
    for service in ("VA", "PI"):
        adapter.run(service)
    bad = BadOnes(monkeypatch, "payment/v1/_search", bills[2]["paymentNumber"], bills[7]["paymentNumber"])
    assert adapter.run("RELAY").counts["delivered"] == 6
    assert Counter(row["attempts"] for row in outbox(adapter) if not row["delivered_at"]) == Counter({1: 2})
    bad.texts = ()
    due_now(adapter)
    assert adapter.run("RELAY").counts["delivered"] == 2


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
def test_a_search_that_is_away_is_not_asked_about_each_payment(adapter, simulators, monkeypatch):
    order = {"type": "wage", "tenantId": failed.TENANT, "payees": 1, "count": 20, "with_payments": True}
    simulators.ask_platform("POST", "bills", order)
    for service in ("VA", "PI"):
        adapter.run(service)
    bad = BadOnes(monkeypatch, "payment/v1/_search", "")
    assert adapter.run("RELAY").counts["try_later"] == 20
    assert bad.calls == 3 + 5


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0, "persist_ms": 0})
def test_nothing_is_told_by_a_number_that_names_two_payments_until_that_is_mended(adapter, simulators, monkeypatch):
    order = {"type": "wage", "tenantId": failed.TENANT, "payees": 1, "count": 2, "with_payments": True}
    bills = simulators.ask_platform("POST", "bills", order)
    for service in ("VA", "PI"):
        adapter.run(service)
    with monkeypatch.context() as patch:
        under_one_number(patch, bills[0]["paymentNumber"])
        assert adapter.run("RELAY").counts["delivered"] == 1
    [waiting] = [row for row in outbox(adapter) if not row["delivered_at"]]
    assert f"payment number {bills[0]['paymentNumber']} is that of 2 payments" in waiting["last_error"]
    due_now(adapter)
    assert adapter.run("RELAY").counts["delivered"] == 1


@pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 2})
def test_what_a_stopped_run_has_not_begun_is_free_for_the_next_one(adapter, simulators, monkeypatch):
    one_payment(adapter)
    adapter.run("PI")
    sweep = adapter.sweep("RELAY")
    sweep.workers = 1
    look_up, update, both_are_taken = payment_status._with_payments, PlatformClient.update_payment, threading.Event()

    def taken(*args):
        first, second = look_up(*args)
        yield first
        both_are_taken.set()
        yield second

    def last(*args):
        assert both_are_taken.wait(60)
        sweep.stop.set()
        return update(*args)

    monkeypatch.setattr(payment_status, "_with_payments", taken)
    monkeypatch.setattr(PlatformClient, "update_payment", last)
    with pytest.raises(SweepStoppedError), sweep, PlatformClient(simulators.platform_config()) as platform:
        deliver(sweep, platform)
    assert [row["claimed_until"] for row in outbox(adapter) if not row["delivered_at"]] == [None]
    assert len(outbox(adapter)) == 2


def test_all_that_was_said_counts_not_what_the_platform_shows():
    """It may not have stored any of it yet: the lines that the last message does not name come from those before."""

    def line(name):
        return {"id": name, "lineItemId": name, "status": "INITIATED"}

    def detail(name, *names):
        return {"id": name, "billDetailId": name, "status": "INITIATED", "payableLineItems": [line(n) for n in names]}

    def bill(name, *details):
        return {"id": name, "billId": name, "status": "INITIATED", "billDetails": list(details)}

    payment = Payment.model_validate(
        {
            "id": "p",
            "tenantId": "od.samplea",
            "status": "INITIATED",
            "bills": [bill("B1", detail("D1", "l1", "l2", "l5"), detail("D2", "l3")), bill("B2", detail("D3", "l4"))],
        }
    )
    again = {"status": "INITIATED", "referenceStatus": "PAYMENT_INITIATED"}
    corrected = again | {"lines": ["l1"], "lineStatus": "INITIATED", "above": None}
    story = [
        told("FAILED", "PAYMENT_FAILED"),
        told("SUCCESSFUL"),
        told("PARTIAL", "PAYMENT_PARTIAL", ["l1", "l4", "l5"]),
    ]

    def statuses(made):
        found = {
            line.line_item_id: line.status for b in made.bills for d in b.bill_details for line in d.payable_line_items
        }
        found |= {d.bill_detail_id: d.status for b in made.bills for d in b.bill_details}
        return found | {b.bill_id: b.status for b in made.bills} | {"": (made.status, made.reference_status)}

    partial = {
        "l1": "FAILED",
        "l2": "SUCCESSFUL",
        "l3": "SUCCESSFUL",
        "l4": "FAILED",
        "l5": "FAILED",
        "D1": "PARTIAL",
        "D2": "SUCCESSFUL",
        "D3": "PARTIAL",
        "B1": "PARTIAL",
        "B2": "PARTIAL",
        "": ("PARTIAL", "PAYMENT_PARTIAL"),
    }
    assert statuses(changed(payment, story)) == partial
    initiated = partial | {"l1": "INITIATED", "": ("INITIATED", "PAYMENT_INITIATED")}
    assert statuses(changed(payment, [*story, corrected])) == initiated
    assert statuses(changed(payment, [story[-1]]))["l1"] == "FAILED"
    assert {status for name, status in statuses(payment).items() if name} == {"INITIATED"}  # it is left as it was


# What is cancelled on the platform ------------------------------------------------------------------------------------


def cancel(adapter, simulators, status="CANCELLED", **more):
    settle(simulators)
    number = platform_payment(simulators)["paymentNumber"]
    simulators.ask_platform("POST", "statuses", {"paymentNumber": number, "status": status} | more)


def one_payment(adapter):
    adapter.run("VA")
    adapter.run("PA")
    return adapter


def without_money(adapter):
    """FAILED for want of funds is to be told."""
    adapter.run("PA")
    adapter.run("PI")


@pytest.mark.parametrize("header_only", [True, False])
def test_a_message_about_a_payment_without_instruction_revives_nothing(adapter, simulators, header_only):
    without_money(adapter)
    cancel(adapter, simulators, headerOnly=header_only)
    before = platform_payment(simulators)
    sweep = adapter.run("RELAY")
    assert (sweep.counts["delivered"], sweep.counts["cancelled"]) == (0, 1)
    settle(simulators)
    after = platform_payment(simulators)
    assert (after["status"], lines(after)) == ("CANCELLED", lines(before))
    [message] = outbox(adapter)
    assert message["undeliverable"]
    assert "cancelled" in message["last_error"]
    assert adapter.run("RELAY").counts["cancelled"] == 0


@pytest.mark.parametrize("header_only", [True, False])
def test_what_happened_to_money_is_told_of_a_cancelled_payment(adapter, simulators, header_only):
    """Cancelled after the PI was accepted: that it was, that it is paid; one whose money came back stays cancelled."""
    one_payment(adapter)
    adapter.run("PI")
    cancel(adapter, simulators)
    adapter.run("RELAY")
    settle(simulators)
    assert set(lines(platform_payment(simulators))) == {"INITIATED"}
    cancel(adapter, simulators)
    for service in ("PIS", "PAG", "PD"):
        adapter.run(service)
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert (payment["status"], set(lines(payment))) == ("SUCCESSFUL", {"SUCCESSFUL"})
    cancel(adapter, simulators, headerOnly=header_only)
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"]
    simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 1})
    adapter.run("FD")
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "PARTIAL"
    assert Counter(lines(payment)) == Counter(SUCCESSFUL=3, CANCELLED=1)
    failed.mend(adapter)
    adapter.correct()
    assert failed.revisions(adapter) == []


def test_a_payment_all_of_whose_money_came_back_stays_cancelled(adapter, simulators):
    one_payment(adapter)
    for service in ("PI", "PIS", "PAG", "PD", "RELAY"):
        adapter.run(service)
    number = adapter.rows("SELECT pi_number FROM ifms.payment_instruction")[0]["pi_number"]
    simulators.ask_treasury("POST", "failures", {"bill_number": number, "beneficiaries": 4})
    adapter.run("FD")
    cancel(adapter, simulators)
    assert adapter.run("RELAY").counts["delivered"] == 0
    settle(simulators)
    assert platform_payment(simulators)["status"] == "CANCELLED"
    failed.mend(adapter)
    adapter.correct()
    assert failed.revisions(adapter) == []


@pytest.mark.parametrize("header_only", [True, False])
def test_a_rejection_does_not_revive_a_payment_that_is_cancelled_meanwhile(adapter, simulators, header_only):
    """Its money is back; told FAILED, the payment would look as if it were still wanted, and be paid."""
    one_payment(adapter)
    adapter.run("PI")
    adapter.run("RELAY")
    simulators.ask_treasury("POST", "rules", {"service": "PIS", "effect": "reject"})
    adapter.run("PIS")
    cancel(adapter, simulators, headerOnly=header_only)
    sweep = adapter.run("RELAY")
    assert (sweep.counts["delivered"], sweep.counts["cancelled"]) == (0, 1)
    settle(simulators)
    assert platform_payment(simulators)["status"] == "CANCELLED"
    number = platform_payment(simulators)["paymentNumber"]
    with psycopg.connect(adapter.dsn) as connection:
        release_holds(connection, [number])
    with pytest.raises(SweepNeedsAttentionError, match="is cancelled"):
        adapter.run("PI")
    assert adapter.rows("SELECT hold_code FROM ifms.payment") == [{"hold_code": "PAYMENT_CANCELLED"}]


def told(status, reference="PAYMENT_SUCCESS", lines=None):
    said = {"status": status, "referenceStatus": reference}
    return said if lines is None else said | {"lines": lines, "lineStatus": "FAILED", "above": "PARTIAL"}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ({"l1", "l2", "l3"}, ["SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]),
        ({"l2", "l3"}, ["CANCELLED", "CANCELLED", "SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]),
        ({"l1", "l3"}, ["SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "CANCELLED", "SUCCESSFUL"]),
    ],
)
def test_a_cancelled_line_that_no_instruction_holds_stays_so(ours, expected):
    payment = Payment.model_validate(
        {
            "id": "p",
            "tenantId": "od.samplea",
            "status": "CANCELLED",
            "bills": [
                {
                    "id": "b",
                    "billId": "B",
                    "status": "INITIATED",
                    "billDetails": [
                        {
                            "id": "d1",
                            "billDetailId": "D1",
                            "status": "CANCELLED",
                            "payableLineItems": [{"id": "1", "lineItemId": "l1", "status": "INITIATED"}],
                        },
                        {
                            "id": "d2",
                            "billDetailId": "D2",
                            "status": "INITIATED",
                            "payableLineItems": [
                                {"id": "2", "lineItemId": "l2", "status": "CANCELLED"},
                                {"id": "3", "lineItemId": "l3", "status": "INITIATED"},
                            ],
                        },
                    ],
                }
            ],
        }
    )
    made = changed(payment, [told("FAILED", "PAYMENT_INSUFFICIENT_FUNDS"), told("SUCCESSFUL")], ours)
    first, second = made.bills[0].bill_details
    assert (made.status, made.bills[0].status) == ("SUCCESSFUL", "SUCCESSFUL")
    found = [first.status, first.payable_line_items[0].status, second.status]
    found += [line.status for line in second.payable_line_items]
    kept = [status if status != "INITIATED" else "CANCELLED" for status in found]
    assert kept == expected
    made = changed(payment, [told("SUCCESSFUL"), told("PARTIAL", "PAYMENT_PARTIAL", ["l3"])], ours)
    assert made.bills[0].bill_details[1].payable_line_items[1].status == "FAILED"
    assert made.status == "PARTIAL"
    assert payment.status == "CANCELLED"  # what was read is left as it was


@pytest.mark.parametrize("cancelled", ["B1", "B2"])
def test_a_bill_that_is_cancelled_whole_stays_so_beside_one_that_is_paid(cancelled):
    def bill(name):
        status = "CANCELLED" if name == cancelled else "INITIATED"
        line = {"id": name, "lineItemId": f"line of {name}", "status": status}
        detail = {"id": name, "billDetailId": name, "status": status, "payableLineItems": [line]}
        return {"id": name, "billId": name, "status": status, "billDetails": [detail]}

    payment = Payment.model_validate(
        {"id": "p", "tenantId": "od.samplea", "status": "INITIATED", "bills": [bill("B1"), bill("B2")]}
    )
    for each in changed(payment, [told("SUCCESSFUL")]).bills:
        [detail] = each.bill_details
        expected = "CANCELLED" if each.bill_id == cancelled else "SUCCESSFUL"
        assert [each.status, detail.status, detail.payable_line_items[0].status] == [expected] * 3


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ({"a", "c"}, ["SUCCESSFUL", "INITIATED", "SUCCESSFUL", "SUCCESSFUL"]),
        ({"a", "b"}, ["SUCCESSFUL", "SUCCESSFUL", "INITIATED", "INITIATED"]),
        ({"a", "b", "c"}, ["SUCCESSFUL"] * 4),
        ({"elsewhere"}, ["SUCCESSFUL"] * 4),  # of this payment nothing is known
        (None, ["SUCCESSFUL"] * 4),
    ],
)
def test_a_line_that_no_instruction_pays_is_not_told_as_paid(paid, expected):
    """INACTIVE on its bill, and in a payment of the adapter before this one: the platform would count its amount."""

    def detail(name, *lines):
        told = [{"id": each, "lineItemId": each, "status": "INITIATED", "paidAmount": 5} for each in lines]
        return {"id": name, "billDetailId": name, "status": "INITIATED", "payableLineItems": told}

    bill = {"id": "B", "billId": "B", "status": "INITIATED", "billDetails": [detail("1", "a", "b"), detail("2", "c")]}
    payment = Payment.model_validate({"id": "p", "tenantId": "od.samplea", "status": "INITIATED", "bills": [bill]})
    made = changed(payment, [told("INITIATED", "PAYMENT_INITIATED"), told("SUCCESSFUL")], paid=paid)
    first, second = made.bills[0].bill_details
    rows = [*first.payable_line_items, *second.payable_line_items]
    assert [*(line.status for line in rows), second.status] == expected
    assert (made.status, made.bills[0].status, first.status) == ("SUCCESSFUL",) * 3
    came_back = changed(payment, [told("SUCCESSFUL"), told("PARTIAL", "PAYMENT_PARTIAL", ["a"])], paid=paid)
    assert came_back.bills[0].bill_details[0].payable_line_items[0].status == "FAILED"


def test_a_line_that_is_in_the_payment_and_in_no_instruction_stays_as_it_is(adapter, simulators):
    adapter.cycle()
    rewrite(
        adapter.dsn,
        "UPDATE ifms.beneficiary SET line_item_ids = '{elsewhere}' WHERE id = (SELECT id FROM ifms.beneficiary LIMIT 1)",
    )
    adapter.run("RELAY")
    settle(simulators)
    payment = platform_payment(simulators)
    assert payment["status"] == "SUCCESSFUL"
    assert set(lines(payment)) == {"INITIATED", "SUCCESSFUL"}


def test_a_payment_waiting_for_funds_is_told_except_for_its_cancelled_line(adapter, simulators):
    without_money(adapter)
    settle(simulators)
    line = platform_payment(simulators)["bills"][0]["billDetails"][0]["payableLineItems"][0]["lineItemId"]
    cancel(adapter, simulators, lines=[line])
    assert adapter.run("RELAY").counts["delivered"] == 1
    settle(simulators)
    assert Counter(lines(platform_payment(simulators))) == Counter(FAILED=3, CANCELLED=1)


def test_what_happened_to_money_is_told_though_only_the_payment_s_own_status_says_cancelled(adapter, simulators):
    one_payment(adapter)
    adapter.run("PI")
    cancel(adapter, simulators, headerOnly=True)
    sweep = adapter.run("RELAY")
    assert (sweep.counts["delivered"], sweep.counts["cancelled"]) == (1, 0)
    settle(simulators)
    assert platform_payment(simulators)["status"] == "INITIATED"
