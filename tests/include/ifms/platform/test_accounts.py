"""Which account a payee had at some time, by the audit log of a platform that behaves like the real one."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from ifms import clock
from ifms.errors import BadInputError
from ifms.platform.accounts import account_at
from ifms.platform.client import PlatformClient

pytestmark = pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0})

TENANT = "od.samplea"


@pytest.fixture
def platform(simulators):
    with PlatformClient(simulators.platform_config()) as client:
        yield client


@pytest.fixture
def payee(simulators):
    """A payee with an account."""
    [bill] = simulators.ask_platform("POST", "bills", {"type": "wage", "tenantId": TENANT, "payees": 1})
    return bill["payees"][0]


@pytest.fixture
def change(simulators, payee):
    """`change(accountNumber=…, ifsc=…)`: the instant after which the registry has these, and told so in its log."""

    def make(**new):
        simulators.ask_platform("POST", "accounts", {"tenantId": TENANT, "referenceId": payee, **new})
        time.sleep(0.1)  # the log's change date is a little after the change
        return clock.now()

    return make


def detail(number, at, **changes):
    """An audit row of an account number, which this platform keeps as it is."""
    return {
        "id": f"log-{at}-{number}",
        "objectId": "account-1",
        "entityName": "eg_bank_account_detail",
        "changeDate": at,
        "keyValueMap": {"accountNumber": f"cipher-{number}"},
    } | changes


class Registry:
    """A platform whose audit log is what a test says, newest first as the client gives it."""

    def __init__(self, *logs):
        from ifms.platform.models import AuditLog

        self.logs = sorted((AuditLog.model_validate(each) for each in logs), key=lambda log: -log.change_date)

    def bank_accounts(self, tenant_id, payee_ids):
        return {each: type("Account", (), {"id": "account-1"}) for each in payee_ids}

    def audit_logs(self, tenant_id, object_id):
        return self.logs

    def decrypt(self, ciphers):
        return [cipher.removeprefix("cipher-") for cipher in ciphers]


def test_the_newest_change_before_the_instant_counts(platform, payee, change):
    first = change(accountNumber="000000000001", ifsc="SMPL0000001")
    second = change(accountNumber="000000000002", ifsc="SMPL0000002")
    third = change(accountNumber="000000000003", ifsc="SMPL0000003")
    for instant, last in ((first, 1), (second, 2), (third, 3), (third + timedelta(days=1), 3)):
        found = account_at(platform, TENANT, payee, instant)
        assert found == (f"{last:012d}", f"SMPL{last:07d}")


def test_more_rows_than_a_page_in_no_order(platform, payee, change, simulators):
    """Each change leaves four rows; 60 of them are two pages of 30."""
    instants = [change(accountNumber=f"{number:012d}") for number in range(1, 16)]
    [account] = platform.bank_accounts(TENANT, [payee]).values()
    assert len(platform.audit_logs(TENANT, account.id)) == 4 * 16
    assert simulators.ask_platform("GET", "state")["calls"]["audit"] == 3  # two full pages and a part
    for number, instant in enumerate(instants, start=1):
        assert account_at(platform, TENANT, payee, instant)[0] == f"{number:012d}"


def test_an_account_is_decrypted_and_its_leading_zeros_are_kept(platform, payee, change):
    assert account_at(platform, TENANT, payee, change(accountNumber="000000000420"))[0] == "000000000420"


def test_before_the_first_row_nobody_knows_and_the_payee_is_named(platform, payee):
    with pytest.raises(BadInputError, match=f"no account of payee {payee} before 2020-01-01 05:30:00"):
        account_at(platform, TENANT, payee, datetime(2020, 1, 1, tzinfo=UTC))


def test_a_payee_without_account_is_named(platform):
    with pytest.raises(BadInputError, match="payee sample-nobody has no bank account"):
        account_at(platform, TENANT, "sample-nobody", clock.now())


def test_the_row_of_the_instant_itself_counts_and_the_next_one_does_not():
    registry = Registry(detail("1", 1_000), detail("2", 2_000), detail("3", 2_001))
    assert account_at(registry, TENANT, "payee-1", clock.from_epoch_ms(2_000))[0] == "2"


def test_without_a_row_for_the_branch_the_ifsc_is_not_known():
    assert account_at(Registry(detail("1", 1_000)), TENANT, "payee-1", clock.now()) == ("1", None)


def test_a_row_of_another_table_or_without_number_is_passed_over():
    registry = Registry(
        detail("1", 1_000),
        detail("", 2_000, keyValueMap={"isActive": False}),
        detail("9", 3_000, entityName="eg_bank_account"),
        {**detail("x", 2_500, entityName="eg_bank_branch_identifier"), "keyValueMap": {"code": "SMPL0000007"}},
    )
    assert account_at(registry, TENANT, "payee-1", clock.now()) == ("1", "SMPL0000007")
