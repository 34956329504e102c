"""The DIGIT services that payments need, with their paging limits, traps and error shapes.

Section numbers (§) are those of digit-services.md.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from ifms import clock
from ifms.errors import (
    BadInputError,
    ConfigurationError,
    PaymentExistsError,
    PaymentNotYetPersistedError,
    PlatformRefusedError,
    PlatformReplyError,
    PlatformUnavailableError,
)
from ifms.platform.config import PlatformConfig
from ifms.platform.masterdata import CityList, MasterData, first_unread_head, head_codes_by_code, heads_in_order
from ifms.platform.models import (
    MAX_KEY,
    AuditLog,
    BankAccount,
    Bill,
    City,
    HeadCode,
    HeadOfAccount,
    Individual,
    Key,
    Model,
    NewPayment,
    Organisation,
    Payment,
    SpendingUnit,
    User,
    Works,
)
from ifms.platform.payees import PayeeDirectory, PayeeShare
from ifms.platform.replies import Masters, UnreadRow, as_object, chunks, model_of, models_of, pages, rows_of, unique
from ifms.platform.transport import Query, Transport

_log = logging.getLogger(__name__)

_M = TypeVar("_M", bound=Model)
_T = TypeVar("_T")

_TRIES = 3
_LONGEST_WAIT_SECONDS = 5.0

_BILLS_WITH_WORKFLOW = 10  # how many bills of a page get their wfStatus (§2)
_BILLS_BY_ID = 20  # a wage bill may have hundreds of details
_BUSINESS_SERVICES = ("EXPENSE.WAGES", "EXPENSE.PURCHASE", "EXPENSE.SUPERVISION")  # a search by number names one (§2)
_PAYMENTS_PAGE = 50  # no limit of its own (§3)
_ACCOUNTS_PAGE = 200  # the service's maximum (§5)
_ACCOUNTS_BY_REFERENCE = 100  # below the page, as a reference may have several accounts
_REGISTRY_PAGE = 100  # individuals allow 1000, organisations 200 (§6)
_AUDIT_PAGE = 30  # the service's maximum, whatever is asked (§8)
_CALCULATOR_PAGE = 100
_IDS_PER_CALL = 200
_CIPHERS_PER_CALL = 200

_DUPLICATE_CODES = frozenset({"EG_PAYMENT_DUPLICATE_BILLS_ERROR", "EG_PAYMENT_DUPLICATE_PAYMENT_ERROR"})
_NOT_YET_PERSISTED = "payment id is invalid"
_UNMASKING_ROLES = frozenset(
    {"BILL_ACCOUNTANT", "MUKTA_ADMIN", "VIEW_WS_UNMASKED", "VIEW_ORG_UNMASKED", "VIEW_DED_UNMASKED"}
)  # §7: any of them may see some account numbers whole
_USER_FIELDS = ("id", "uuid", "userName", "name", "type", "mobileNumber", "emailId", "tenantId", "roles")


class PlatformClient:
    """One DIGIT platform. Safe to share between threads; close it, or use it as a context manager.

    Every method may raise PlatformUnavailableError (network, deadline, 5xx), PlatformRefusedError (the service says
    no) and PlatformReplyError (the reply lacks what it promises); the texts name service and tenant. Searches,
    decryption and new ids are tried three times when unavailable; creating and updating payments is tried once, as
    the first try may have arrived.

    An empty collection of ids finds nothing; it never means "all".
    """

    def __init__(self, config: PlatformConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.config = config
        self._transport = Transport(config)
        self._sleep = sleep
        self._tries = _TRIES
        self._user: dict[str, Any] | None = None
        self._user_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections of all threads."""
        self._transport.close()

    def tried_once(self) -> Self:
        """The same platform, without second tries of searches; it shares the connections, and does not close them."""
        other = copy.copy(self)
        other._tries = 1
        return other

    # Bills and payments -----------------------------------------------------------------------------------------------

    def bills_to_pay(self, tenant_id: str, *, without_workflow: Callable[[Bill], None] | None = None) -> Iterator[Bill]:
        """Yield the approved bills that have no payment, each once; the caller may create payments meanwhile.

        All pages are read before the first bill is given, because creating payments shifts them (§2). The platform
        fills wfStatus for the first ten bills of a page only, so a bill without one is asked for again by its id,
        ten at a time; if it still has none, it is not given out but logged, and the next run sees it again;
        `without_workflow` hears of it unless its status alone says that it is not approved.

        A bill that can't be read doesn't stop the others: they are all given, then PlatformReplyError names it.
        """
        found: dict[str, Bill] = {}
        unreadable: list[str] = []
        size = self.config.bill_page_size

        def search(offset: int) -> list[Any]:
            criteria = {"tenantId": tenant_id, "isPaymentStatusNull": True}
            body = {"billCriteria": criteria, "pagination": {"limit": size, "offSet": offset}}
            return rows_of(self._ask("bill_search", tenant_id, body), "bills", "bill_search", tenant_id)

        for row in pages(search, size, "bill_search", tenant_id):
            try:
                bill = model_of(Bill, row, "bills", "bill_search", tenant_id)
            except PlatformReplyError as error:
                unreadable.append(str(error))
            else:
                found[bill.id] = bill
        for bill in self._with_workflow(tenant_id, found):
            if bill.payment_status is not None:
                continue
            if bill.wf_status is None:
                _log.warning("%s has no workflow status, is left for the next run", bill.label)
                if without_workflow is not None and bill.stopped is None:
                    without_workflow(bill)
            elif bill.wf_status.upper() == "APPROVED" and bill.stopped is None:
                yield bill
        if unreadable:
            raise PlatformReplyError(
                f"{len(unreadable)} bill(s) of {tenant_id} can't be read: {'; '.join(unreadable[:5])}"
            )

    def bills_by_number(self, tenant_id: str, numbers: Collection[str]) -> Iterator[Bill]:
        """Yield the tenant's bills with these numbers, with their wfStatus; an unknown number has none.

        A bill that can't be read doesn't stop the others: they are all given, then PlatformReplyError names it.
        """
        found: dict[str, Bill] = {}
        unreadable: list[str] = []
        size = _BILLS_BY_ID + 1  # more than there should be: then one page says so
        for service, chunk in product(_BUSINESS_SERVICES, chunks(numbers, _BILLS_BY_ID)):
            criteria = {"tenantId": tenant_id, "businessService": service, "billNumbers": chunk}

            def search(offset: int, criteria: Mapping[str, Any] = criteria) -> list[Any]:
                body = {"billCriteria": criteria, "pagination": {"limit": size, "offSet": offset}}
                return rows_of(self._ask("bill_search", tenant_id, body), "bills", "bill_search", tenant_id)

            for row in pages(search, size, "bill_search", tenant_id):
                try:
                    bill = model_of(Bill, row, "bills", "bill_search", tenant_id)
                except PlatformReplyError as error:
                    unreadable.append(str(error))
                    continue
                if bill.bill_number in chunk and bill.tenant_id == tenant_id:
                    found[bill.id] = bill
        yield from self._with_workflow(tenant_id, found)
        if unreadable:
            raise PlatformReplyError(
                f"{len(unreadable)} bill(s) of {tenant_id} can't be read: {'; '.join(unreadable[:5])}"
            )

    def _with_workflow(self, tenant_id: str, found: dict[str, Bill]) -> Iterable[Bill]:
        """The bills; those without payment and without a wfStatus as they are when asked for ten at a time."""
        unsure = [bill.id for bill in found.values() if bill.wf_status is None and bill.payment_status is None]
        return (found | self._bills(tenant_id, unsure, _BILLS_WITH_WORKFLOW)).values()

    def bills(self, tenant_id: str, ids: Collection[str]) -> dict[str, Bill]:
        """Return the bills by id; an unknown id is absent. Their wf_status may be None (see `bills_to_pay`)."""
        return self._bills(tenant_id, ids, _BILLS_BY_ID)

    def _bills(self, tenant_id: str, ids: Iterable[str], chunk_size: int) -> dict[str, Bill]:
        found: dict[str, Bill] = {}
        for chunk in chunks(ids, chunk_size):
            criteria = {"tenantId": tenant_id, "ids": chunk}
            body = {"billCriteria": criteria, "pagination": {"limit": chunk_size, "offSet": 0}}
            rows = rows_of(self._ask("bill_search", tenant_id, body), "bills", "bill_search", tenant_id)
            found.update((bill.id, bill) for bill in models_of(Bill, rows, "bills", "bill_search", tenant_id))
        return found

    def create_payment(self, payment: NewPayment) -> Payment:
        """Create a payment. Never repeated by itself: after PlatformUnavailableError it may exist or not.

        Raises PaymentExistsError if a bill has a payment already, whatever that one's status; BadInputError if the
        payment names a bill twice; PlatformReplyError if the reply is about other bills or another amount.
        """
        bill_ids = [bill.bill_id for bill in payment.bills]
        if not bill_ids or len(set(bill_ids)) != len(bill_ids):
            raise BadInputError(f"the payment for bills {', '.join(bill_ids) or '(none)'} must name each bill once")
        service, tenant_id = "payment_create", payment.tenant_id
        try:
            reply = self._ask(service, tenant_id, {"payment": payment.wire()}, tries=1)
        except PlatformRefusedError as error:
            if _DUPLICATE_CODES.intersection(error.codes):
                raise PaymentExistsError(str(error), error.codes) from None
            raise
        created = self._only_payment(reply, service, tenant_id)
        if {bill.bill_id for bill in created.bills} != set(bill_ids) or created.tenant_id != tenant_id:
            raise PlatformReplyError(f"{service} for {tenant_id}: payments[0] is for other bills than were sent")
        if created.net_payable_amount != payment.net_payable_amount:
            raise PlatformReplyError(f"{service} for {tenant_id}: payments[0].netPayableAmount is not what was sent")
        if not created.payment_number:
            raise PlatformReplyError(f"{service} for {tenant_id}: payments[0].paymentNumber is missing")
        return created

    def payments(
        self,
        tenant_id: str,
        *,
        numbers: Collection[str] | None = None,
        bill_ids: Collection[str] | None = None,
        statuses: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> Iterator[Payment]:
        """Yield the payments that meet every given criterion, page by page; without any, all of the tenant.

        Who changes the status that is searched for while reading should read all first: the pages shift.

        A payment that can't be read doesn't stop the others: they are all given, then PlatformReplyError names it.
        """
        service = "payment_search"
        seen: set[str] = set()
        unreadable: list[str] = []
        for some_ids, some_bills, some_numbers, status in product(
            _criterion(ids),
            _criterion(bill_ids),
            _criterion(numbers),
            [None] if statuses is None else unique(statuses),
        ):
            given = {"ids": some_ids, "billIds": some_bills, "paymentNumbers": some_numbers, "status": status}
            criteria = {"tenantId": tenant_id} | {key: value for key, value in given.items() if value is not None}

            def search(offset: int, criteria: Mapping[str, Any] = criteria) -> list[Any]:
                body = {"paymentCriteria": criteria, "pagination": {"limit": _PAYMENTS_PAGE, "offSet": offset}}
                return rows_of(self._ask(service, tenant_id, body), "payments", service, tenant_id)

            for row in pages(search, _PAYMENTS_PAGE, service, tenant_id):
                try:
                    payment = model_of(Payment, row, "payments", service, tenant_id)
                except PlatformReplyError as error:
                    unreadable.append(str(error))
                    continue
                if payment.id not in seen:
                    seen.add(payment.id)
                    yield payment
        if unreadable:
            raise PlatformReplyError(
                f"{len(unreadable)} payment(s) of {tenant_id} can't be read: {'; '.join(unreadable[:5])}"
            )

    def update_payment(self, payment: Payment) -> Payment:
        """Send the statuses of a payment (all of it, as the search gave it); return the platform's echo.

        The platform copies the statuses of payment, bills, details and lines; referenceStatus it does not keep (§3).
        Raises PaymentNotYetPersistedError while the platform hasn't stored the payment yet, BadInputError if a status
        is missing. Not repeated by itself, though sending the same statuses again does no harm.
        """
        if missing := payment.missing_status():
            raise BadInputError(f"{payment.label}: {missing} has no status; the platform wants one on every level")
        service, tenant_id = "payment_update", payment.tenant_id
        try:
            reply = self._ask(service, tenant_id, {"payment": payment.wire()}, tries=1)
        except PlatformRefusedError as error:
            if _NOT_YET_PERSISTED in str(error).lower():
                raise PaymentNotYetPersistedError(str(error), error.codes) from None
            raise
        updated = self._only_payment(reply, service, tenant_id)
        if updated.id != payment.id:
            raise PlatformReplyError(f"{service} for {tenant_id}: payments[0] is another payment than was sent")
        return updated

    def _only_payment(self, reply: Mapping[str, Any], service: str, tenant_id: str) -> Payment:
        payments = models_of(Payment, rows_of(reply, "payments", service, tenant_id), "payments", service, tenant_id)
        if len(payments) != 1:
            raise PlatformReplyError(f"{service} for {tenant_id}: payments holds {len(payments)} payments, not one")
        return payments[0]

    # Payees -----------------------------------------------------------------------------------------------------------

    def individuals(self, tenant_id: str, ids: Collection[str]) -> dict[str, Individual]:
        """Return the individuals by id (the UUID); an unknown or deleted one is absent."""
        service = "individual_search"
        found: dict[str, Individual] = {}
        for chunk in chunks(ids, _REGISTRY_PAGE):
            query: Query = {"tenantId": tenant_id, "offset": 0, "limit": len(chunk)}
            reply = self._ask(service, tenant_id, {"Individual": {"id": chunk}}, query)
            rows = rows_of(reply, "Individual", service, tenant_id)
            found.update((entry.id, entry) for entry in models_of(Individual, rows, "Individual", service, tenant_id))
        return found

    def organisations(self, tenant_id: str, ids: Collection[str]) -> dict[str, Organisation]:
        """Return the organisations by id (the UUID); an unknown one is absent."""
        service = "organisation_search"
        found: dict[str, Organisation] = {}
        for chunk in chunks(ids, _REGISTRY_PAGE):
            criteria = {"tenantId": tenant_id, "id": chunk}
            body = {"SearchCriteria": criteria, "Pagination": {"limit": len(chunk), "offset": 0}}
            rows = rows_of(self._ask(service, tenant_id, body), "organisations", service, tenant_id)
            found.update(
                (entry.id, entry) for entry in models_of(Organisation, rows, "organisations", service, tenant_id)
            )
        return found

    def bank_accounts(self, tenant_id: str, reference_ids: Collection[str]) -> dict[str, BankAccount]:
        """Return the account of each reference that has one with an active primary detail.

        Of several such accounts of one reference it is the one changed last, and of those the one with the smallest
        id; `BankAccount.primary` chooses among details by the same rule.
        """
        service = "bank_account_search"
        found: dict[str, BankAccount] = {}
        for chunk in chunks(reference_ids, _ACCOUNTS_BY_REFERENCE):

            def search(offset: int, chunk: list[str] = chunk) -> list[Any]:
                body = {
                    "bankAccountDetails": {"tenantId": tenant_id, "referenceId": chunk},
                    "pagination": {"limit": _ACCOUNTS_PAGE, "offSet": offset, "order": "asc"},
                }
                return rows_of(self._ask(service, tenant_id, body), "bankAccounts", service, tenant_id)

            for row in pages(search, _ACCOUNTS_PAGE, service, tenant_id):
                account = model_of(BankAccount, row, "bankAccounts", service, tenant_id)
                if account.primary is None:
                    continue
                other = found.get(account.reference_id)
                if other is None or (-account.changed, account.id) < (-other.changed, other.id):
                    found[account.reference_id] = account
        return found

    def payee_directory(self, tenant_id: str, shares: Iterable[PayeeShare]) -> PayeeDirectory:
        """Look the payees of all `shares` up at once; those of many payments of one tenant may come together."""
        ids: dict[str, list[str]] = {"IND": [], "ORG": [], "DEPT": []}
        for share in shares:
            ids[share.payee_type].append(share.payee_id)
        return PayeeDirectory(
            individuals=self.individuals(tenant_id, ids["IND"]),
            organisations=self.organisations(tenant_id, ids["ORG"]),
            accounts=self.bank_accounts(tenant_id, [*ids["IND"], *ids["ORG"], *ids["DEPT"]]),
        )

    def decrypt(self, ciphers: Sequence[str]) -> list[str]:
        """Return the plain texts of `ciphers` (`keyId|base64`), in order.

        Raises BadInputError, quoting nothing, for a text that is no cipher: the service would refuse all of them.
        """
        service, tenant_id = "decrypt", self.config.state_tenant
        for place, cipher in enumerate(ciphers):
            key_id, bar, text = cipher.partition("|")
            if not (key_id and bar and text):
                raise BadInputError(f"text {place + 1} of {len(ciphers)} to decrypt is not keyId|base64")
        plain: list[str] = []
        for start in range(0, len(ciphers), _CIPHERS_PER_CALL):
            chunk = list(ciphers[start : start + _CIPHERS_PER_CALL])
            # A bare array: this service takes no RequestInfo, as every text in the body must be a cipher (§7).
            reply = self._retry(partial(self._transport.call, service, tenant_id, chunk))
            if not isinstance(reply, list) or len(reply) != len(chunk) or not all(isinstance(t, str) for t in reply):
                raise PlatformReplyError(f"{service} for {tenant_id}: the reply is not a list of {len(chunk)} texts")
            plain.extend(reply)
        return plain

    def audit_logs(self, tenant_id: str, object_id: str) -> list[AuditLog]:
        """Return the audit rows of one object (a bank account's id), newest first.

        The service gives 30 at most and in no order (§8), so all pages are read before sorting.
        """
        service = "audit_search"

        def search(offset: int) -> list[Any]:
            query: Query = {"tenantId": tenant_id, "objectId": object_id, "offset": offset, "limit": _AUDIT_PAGE}
            return rows_of(self._ask(service, tenant_id, {}, query), "AuditLogs", service, tenant_id)

        rows = list(pages(search, _AUDIT_PAGE, service, tenant_id))
        logs = {log.id: log for log in models_of(AuditLog, rows, "AuditLogs", service, tenant_id)}
        return sorted(logs.values(), key=lambda log: (-log.change_date, log.id))

    # Numbers, references, texts ---------------------------------------------------------------------------------------

    def new_ids(self, id_name: str, tenant_id: str, count: int) -> list[str]:
        """Return `count` new numbers, in the order of the sequence. A repeated call wastes numbers, no more.

        Raises PlatformRefusedError if the service answers with errors or with fewer ids (§9: its HTTP status is 200
        then), PlatformReplyError if an id is empty or repeated.
        """
        service = "id_generate"
        ids: list[Any] = []
        for wanted in (min(_IDS_PER_CALL, count - done) for done in range(0, count, _IDS_PER_CALL)):
            request = {"idName": id_name, "tenantId": tenant_id, "format": None, "count": wanted}
            reply = self._ask(service, tenant_id, {"idRequests": [request]})
            rows = reply.get("idResponses") or []
            if not isinstance(rows, list) or len(rows) < wanted:
                got = len(rows) if isinstance(rows, list) else 0
                raise PlatformRefusedError(f"{service} for {tenant_id}: {got} of {wanted} ids of {id_name}")
            ids.extend(row.get("id") if isinstance(row, dict) else None for row in rows)
        if not all(isinstance(new, str) and _sendable(new) for new in ids) or len(set(ids)) != count:
            raise PlatformReplyError(
                f"{service} for {tenant_id}: idResponses[].id of {id_name} are not {count} different texts of at most "
                f"{MAX_KEY} characters"
            )
        return ids

    def works(self, tenant_id: str, bill_numbers: Collection[str]) -> dict[str, Works]:
        """Return the works that each bill is for, of those the calculator knows, by bill number (§4).

        They only adorn a PI's additional details: a caller may go on without them.
        """
        service = "calculator_search"
        found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        for chunk in chunks(bill_numbers, _CALCULATOR_PAGE):

            def search(offset: int, chunk: list[str] = chunk) -> list[Any]:
                body = {
                    "searchCriteria": {"tenantId": tenant_id, "billNumbers": chunk},
                    "pagination": {"limit": _CALCULATOR_PAGE, "offset": offset},
                }
                return rows_of(self._ask(service, tenant_id, body), "bills", service, tenant_id)

            for row in pages(search, _CALCULATOR_PAGE, service, tenant_id):
                entry = model_of(_CalculatedBill, row, "bills", service, tenant_id)
                contracts, projects = found.setdefault(entry.bill.bill_number, ({}, {}))
                if entry.contract_number:
                    contracts[entry.contract_number] = None
                if entry.project_number:
                    projects[entry.project_number] = None
        return {number: Works(tuple(contracts), tuple(projects)) for number, (contracts, projects) in found.items()}

    def localised_messages(self, module: str, locale: str) -> dict[str, str]:
        """Return the texts of a localisation module (`rainmaker-ifms`) by their codes (§12).

        A module that the platform does not have is empty. A row that can't be read doesn't spoil the others: it is
        logged and absent, as are rows of another module or locale.
        """
        service, tenant_id = "localisation_search", self.config.state_tenant
        query: Query = {"tenantId": tenant_id, "module": module, "locale": locale}
        found: dict[str, str] = {}
        for row in rows_of(self._ask(service, tenant_id, {}, query), "messages", service, tenant_id):
            try:
                text = model_of(_LocalisedText, row, "messages", service, tenant_id)
            except PlatformReplyError as error:
                _log.warning("%s", error)
                continue
            if text.module in (None, module) and text.locale in (None, locale):
                found[text.code] = text.message
        return found

    # Master data ------------------------------------------------------------------------------------------------------

    def master_data(self, tenants: Collection[str] | None = None) -> MasterData:
        """Read the master data of a run: of all cities, or of `tenants`.

        Raises BadInputError if one of `tenants` is no city of the platform, PlatformReplyError if the tenants, the
        heads of account or the head codes are missing. A city without spending units, or whose units can't be read, is
        not an error here: it must not stop the others (see `MasterData.problems`); nor is a row that can't be read
        (`CityList.unread`, `MasterData.paying`), of which those not in use are in the log only.
        """
        wanted = {"tenant": ["tenants"], "ifms": ["HeadOfAccounts"], "expense": ["HeadCodes"]}
        masters = self._masters(self.config.state_tenant, wanted)
        cities, unread = self._cities(masters, tenants)
        heads, unread_heads = masters.models("ifms", "HeadOfAccounts", HeadOfAccount)
        codes, unread_codes = masters.models("expense", "HeadCodes", HeadCode)
        units: dict[str, tuple[SpendingUnit, ...]] = {}
        problems: dict[str, str] = {}
        for tenant_id in (city.tenant_id for city in cities):
            try:
                units[tenant_id] = self._units(tenant_id)
            except (PlatformRefusedError, PlatformReplyError) as error:
                _log.warning("no spending units: %s", error)
                units[tenant_id] = ()
                problems[tenant_id] = str(error)
        return MasterData(
            cities,
            heads_in_order(heads),
            head_codes_by_code(codes, unread_codes),
            MappingProxyType(units),
            MappingProxyType(problems),
            unread=(*unread, *_in_use([*unread_heads, *unread_codes])),
            unread_head=first_unread_head(unread_heads),
        )

    def head_codes(self) -> Mapping[str, HeadCode]:
        """Read the head codes alone: which lines of a bill are deductions.

        Raises PlatformReplyError if they are missing.
        """
        masters = self._masters(self.config.state_tenant, {"expense": ["HeadCodes"]})
        return head_codes_by_code(*masters.models("expense", "HeadCodes", HeadCode))

    def city_list(self, tenants: Collection[str] | None = None) -> CityList:
        """Read which cities there are, all or those of `tenants`: one call, where `master_data` makes one per city.

        Raises BadInputError if one of `tenants` is no city of the platform, PlatformReplyError if the tenants are
        missing.
        """
        masters = self._masters(self.config.state_tenant, {"tenant": ["tenants"]})
        cities, unread = self._cities(masters, tenants)
        return CityList(cities, unread=unread)

    def _cities(self, masters: Masters, tenants: Collection[str] | None) -> tuple[tuple[City, ...], tuple[str, ...]]:
        """The cities, and what is said of rows that can't be read."""
        state = self.config.state_tenant
        rows, unread_rows = masters.models("tenant", "tenants", City)
        unread = _in_use(unread_rows)
        cities = tuple(city for city in rows if city.tenant_id != state)
        if tenants is None:
            return cities, unread
        if unknown := sorted(set(tenants) - {city.tenant_id for city in cities}):
            raise BadInputError("; ".join([f"{', '.join(unknown)}: no city of the platform (state {state})", *unread]))
        return tuple(city for city in cities if city.tenant_id in set(tenants)), unread

    def _units(self, tenant_id: str) -> tuple[SpendingUnit, ...]:
        masters = self._masters(tenant_id, {"ifms": ["SSUDetails"]})
        units, unread = masters.models("ifms", "SSUDetails", SpendingUnit, optional=True)
        for fault in _in_use(unread):  # which of its units pays is not decided without one of them
            raise PlatformReplyError(fault)
        return tuple(unit for unit in units if unit.active)

    def _masters(self, tenant_id: str, wanted: Mapping[str, list[str]]) -> Masters:
        service = "mdms_search"
        modules = [
            {"moduleName": module, "masterDetails": [{"name": name} for name in names]}
            for module, names in wanted.items()
        ]
        reply = self._ask(service, tenant_id, {"MdmsCriteria": {"tenantId": tenant_id, "moduleDetails": modules}})
        found = reply.get("MdmsRes")
        if not isinstance(found, dict):
            raise PlatformReplyError(f"{service} for {tenant_id}: MdmsRes is missing")
        return Masters(found, service, tenant_id)

    def check(self) -> str:
        """Say in one sentence what the platform answers: the system user, its right to see accounts, the cities."""
        user = self._system_user()
        state = self.config.state_tenant
        cities = self._masters(state, {"tenant": ["tenants"]}).models("tenant", "tenants", City)[0]
        roles = {role.get("code") for role in user.get("roles") or [] if isinstance(role, dict)}
        sight = (
            "may see whole account numbers"
            if roles & _UNMASKING_ROLES
            else ("holds no role that may see whole account numbers, so no payment can be made")
        )
        count = sum(city.tenant_id != state for city in cities)
        return f"{count} cities of {state}; user {self.config.system_user} {sight}."

    def user_of(self, token: str) -> User | None:
        """Who is logged in at the platform with this token; None when nobody is, or may be no longer (§13).

        Asked once, since somebody waits. The platform's own words are left out of errors: they may quote the token.
        """
        service, state = "user_details", self.config.state_tenant
        body = {"RequestInfo": self._envelope() | {"authToken": token}}
        try:
            reply = self._transport.call(service, state, body, {"access_token": token})
            user = model_of(User, as_object(reply, service, state), "user", service, state)
        except PlatformRefusedError:
            return None
        except PlatformUnavailableError:
            raise PlatformUnavailableError(f"{service} for {state}: no whole answer") from None
        return user if user.active else None

    # Calls ------------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        service: str,
        tenant_id: str,
        body: Mapping[str, object],
        query: Query | None = None,
        *,
        tries: int | None = None,
    ) -> dict[str, Any]:
        """Call a service that takes a RequestInfo, and return its reply, which must be an object."""
        request = {"RequestInfo": self._envelope() | {"userInfo": self._system_user()}, **body}
        return as_object(
            self._retry(partial(self._transport.call, service, tenant_id, request, query), tries), service, tenant_id
        )

    def _retry(self, call: Callable[[], _T], tries: int | None = None) -> _T:
        return Retrying(
            retry=retry_if_exception_type(PlatformUnavailableError),
            stop=stop_after_attempt(tries or self._tries),
            wait=wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS),
            sleep=self._sleep,
            reraise=True,
        )(call)

    def _envelope(self) -> dict[str, Any]:
        envelope: dict[str, Any] = {
            "apiId": "ifms-adapter",
            "ver": "1.0",
            "ts": clock.epoch_ms(clock.now()),
            "msgId": f"{uuid.uuid4()}|{self.config.locale}",  # services take the locale from behind the bar (§1)
        }
        if self.config.auth_token:
            envelope["authToken"] = self.config.auth_token
        return envelope

    def _system_user(self) -> dict[str, Any]:
        """Return the user in whose name all calls are made, looked up once (§13)."""
        with self._user_lock:
            if self._user is None:
                self._user = self._find_system_user()
            return self._user

    def _find_system_user(self) -> dict[str, Any]:
        service, tenant_id, name = "user_search", self.config.state_tenant, self.config.system_user
        body = {"requestInfo": self._envelope(), "tenantId": tenant_id, "userName": name, "pageSize": "1"}
        reply = as_object(self._retry(partial(self._transport.call, service, tenant_id, body)), service, tenant_id)
        users = rows_of(reply, "user", service, tenant_id)
        if not users:
            raise ConfigurationError(f"the platform has no user {name} at {tenant_id}: create it or mend system_user")
        user = users[0]
        if not isinstance(user, dict) or not user.get("uuid"):
            raise PlatformReplyError(f"{service} for {tenant_id}: user[0].uuid is missing")
        if str(user.get("userName")).casefold() != name.casefold():
            raise PlatformReplyError(f"{service} for {tenant_id}: user[0] is another user than {name}")
        return {key: user[key] for key in _USER_FIELDS if key in user}


def _criterion(values: Collection[str] | None) -> list[list[str] | None]:
    return [None] if values is None else list(chunks(values, _PAYMENTS_PAGE))


def _sendable(number: str) -> bool:
    return number == number.strip() != "" and len(number) <= MAX_KEY and number.isprintable()


class _BillNumber(Model):
    bill_number: Key


class _CalculatedBill(Model):
    contract_number: Key | None = None
    project_number: Key | None = None
    bill: _BillNumber


class _LocalisedText(Model):
    code: str
    message: str
    module: str | None = None
    locale: str | None = None


def _in_use(unread: Iterable[UnreadRow]) -> tuple[str, ...]:
    """What is wrong with rows of a master that can't be read; of those that are switched off the log says it alone."""
    faults = []
    for row in unread:
        if row.is_active:
            faults.append(row.fault)
        else:
            _log.warning("left out, and not in use: %s", row.fault)
    return tuple(faults)
