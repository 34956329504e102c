"""Control of the simulated platform, in plain JSON: what a test sets up, and what it looks at afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import Route

from ifms_simulator.controls import as_object, as_objects, control, rule_routes
from ifms_simulator.store import Json

if TYPE_CHECKING:
    from ifms_simulator.platform.app import Platform


def control_routes(platform: Platform) -> list[Route]:
    """All routes below /control."""
    desk = _Desk(platform)
    return [
        *rule_routes(platform.rules),
        control("state", "GET", desk.state),
        control("settings", "POST", lambda body, _request: platform.state.change_settings(as_object(body))),
        control("settings", "GET", lambda _body, _request: platform.state.change_settings({})),
        control("bills", "POST", desk.bills),
        control("statuses", "POST", desk.statuses),
        control("accounts", "POST", desk.accounts),
        control("masters", "POST", desk.masters),
        control("messages", "POST", desk.messages),
    ]


class _Desk:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def state(self, _body: Json, _request: Request) -> object:
        """Bills in short, payments in full, calls per service, and how many writes are on their way."""
        platform = self._platform
        platform.arrive()
        store = platform.state.store
        waiting = store.row("SELECT count(*) AS n FROM topic")
        bills = store.rows(
            "SELECT id, tenant AS tenantId, number AS billNumber, service AS businessService, status,"
            " payment_status AS paymentStatus, workflow AS wfStatus FROM bill ORDER BY number"
        )
        return {
            "cities": platform.masters.cities,
            "bills": [dict(row) for row in bills],
            "payments": platform.payments.listed(),
            "calls": store.counters("calls:"),
            "waiting": waiting["n"] if waiting else 0,
        }

    def bills(self, body: Json, _request: Request) -> object:
        """Add bills, one order or a list; all or none."""
        with self._platform.state.store.transaction():
            return [row for each in as_objects(body) for row in self._platform.sampler.add(each)]

    def statuses(self, body: Json, _request: Request) -> object:
        """Cancel, or put back, payments (`paymentNumber`) and bills (`billNumber`), at once: each to its `status`.

        Of either, `lines` or `details` (their ids on the bill) name the parts that get it, and the rest stays. Of a
        payment all levels get it otherwise, or with `headerOnly` the payment alone; a bill gets `wfStatus` besides.
        """
        with self._platform.state.store.transaction():
            self._platform.arrive()
            for each in as_objects(body):
                if "paymentNumber" in each:
                    self._platform.payments.put(each)
                else:
                    self._platform.bills.put(each)
        return {"changed": len(as_objects(body))}

    def accounts(self, body: Json, _request: Request) -> object:
        """Change payees' accounts: tenantId, referenceId, and what is new."""
        return [
            self._platform.accounts.change(each["tenantId"], each["referenceId"], each) for each in as_objects(body)
        ]

    def masters(self, body: Json, _request: Request) -> object:
        """Put other rows (`data`) in the place of a master (`module`, `name`) of a tenant (`tenantId`)."""
        for each in as_objects(body):
            self._platform.masters.replace(
                each["tenantId"], f"{each['module']}.{each['name']}", as_objects(each["data"])
            )
        return {"replaced": len(as_objects(body))}

    def messages(self, body: Json, _request: Request) -> object:
        """Put other texts (`texts`, by their codes) in the place of a localisation `module`'s in a `locale`."""
        for each in as_objects(body):
            self._platform.masters.replace_messages(each["module"], each["locale"], as_object(each["texts"]))
        return {"replaced": len(as_objects(body))}
