"""Who has which rights in which city: by names of roles and groups, and by the setting."""

from __future__ import annotations

import pytest

from ifms.cities import Cities
from ifms.errors import ConfigurationError
from ifms_airflow import rights
from ifms_airflow.rights import EVERYTHING, NOTHING, Rights

A, B = Cities.of("od.samplea"), Cities.of("od.sampleb")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch):
    def set_to(text: str | None, admins: str | None = None) -> None:
        for name, value in ((rights.RIGHTS, text), (rights.ADMIN_ROLES, admins)):
            monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)

    set_to(None)
    return set_to


def test_without_a_mapping_nobody_but_an_administrator_may_do_anything(setting):
    assert rights.of_user("sample", ["Viewer", "Op", "User", "Public"], ["Staff"]) == NOTHING
    assert rights.of_user("admin", []) == NOTHING
    assert rights.of_user("sample", ["ADMIN"]) == EVERYTHING
    assert rights.of_person("admin") == NOTHING
    assert rights.of_digit([("SUPERUSER", "od"), ("BILL_ACCOUNTANT", "od.samplea")], "od") == NOTHING


def test_who_is_an_administrator_is_said_by_a_setting(setting):
    setting(None, "Treasury Lead, Root")
    assert rights.of_user("sample", ["root"]) == EVERYTHING
    assert rights.of_user("sample", ["Admin"]) == NOTHING
    setting(None, "")
    assert rights.of_user("sample", ["Admin", ""]) == NOTHING


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("ifms:od.samplea:read", Rights(read=A)),
        ("IFMS:od.samplea:ACT", Rights(act=A)),
        ("ifms:*:act", Rights(act=Cities.ALL)),
        ("ifms:od.samplea:approve", Rights(approve=A)),
        ("ifms:od.samplea:accounts", Rights(accounts=A)),
        ("od.samplea:act", NOTHING),
        ("ifms:od.samplea", NOTHING),
        ("ifms:od.samplea:act:read", NOTHING),
        ("ifms:od.samplea:pay", NOTHING),
        ("ifms:od.*:act", NOTHING),
        ("ifms::act", NOTHING),
        ("ifms:od.samplea:act\n", NOTHING),
        (" ifms:od.samplea:act", NOTHING),
        ("ifms:ifms:od.samplea:act", NOTHING),
    ],
)
def test_a_role_whose_name_is_a_right_gives_it(setting, name: str, given: Rights):
    assert rights.of_user("sample", [name]) == given
    assert rights.of_user("sample", [], [f"/{name}"]) == given


def test_whoever_may_do_anything_may_read_there():
    assert Rights(act=A, accounts=B).read == A | B
    assert Rights(approve=Cities.ALL).read == Cities.ALL


def test_the_setting_gives_rights_to_users_roles_and_groups(setting):
    setting(
        "user:sample-op = od.samplea:act; role:Bill Clerk=od.sampleb:read od.sampleb:accounts\ngroup:/audit = *:read"
    )
    assert rights.of_user("sample-op", []) == Rights(act=A) == rights.of_person("sample-op")
    assert rights.of_user("Sample-Op", []) == NOTHING, "users' names are told apart by case"
    assert rights.of_user("sample", ["BILL CLERK"]) == Rights(read=B, accounts=B)
    assert rights.of_user("sample", [], ["/Audit"]) == Rights(read=Cities.ALL)
    assert rights.of_user("sample-op", ["Bill Clerk"], ["/audit"]) == Rights(Cities.ALL, A, Cities.NONE, B)
    assert rights.of_user("Bill Clerk", ["sample-op"]) == NOTHING, "a user is no role, and a role no user"
    assert rights.of_person("Bill Clerk") == NOTHING


def test_roles_of_digits_hold_in_the_city_where_somebody_has_them(setting):
    setting("digit:BILL_ACCOUNTANT = act; digit:BILL_CREATOR = read; digit:VIEW_WS_UNMASKED = accounts")
    roles = [("BILL_ACCOUNTANT", "od.samplea"), ("BILL_CREATOR", "od.sampleb"), ("CITIZEN", "od.samplec")]
    assert rights.of_digit(roles, "od") == Rights(read=A | B, act=A)
    assert rights.of_digit([("bill_accountant", "od")], "od") == Rights(act=Cities.ALL)
    assert rights.of_digit([("BILL_ACCOUNTANT", "*"), ("BILL_ACCOUNTANT", "")], "od").act == Cities.of("*", "")
    assert rights.of_user("sample", ["BILL_ACCOUNTANT"]) == NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "sample = *:act",
        "user:sample *:act",
        "user: = *:act",
        "users:sample = *:act",
        "user:sample = act",
        "user:sample = *:pay",
        "user:sample = od.*:act",
        "digit:BILL_ACCOUNTANT = od.samplea:act",
        "role:A = *:read; role:a = *:act",
        "user:sample = *:act, *:read",
    ],
)
def test_what_is_no_mapping_is_named_and_nothing_is_let_in(setting, text: str):
    setting(text)
    with pytest.raises(ConfigurationError, match="IFMS_RIGHTS"):
        rights.mapping()
