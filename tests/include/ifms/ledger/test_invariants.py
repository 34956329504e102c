"""Each invariant, broken on purpose behind the database's back: exactly that rule names exactly that row.

A damage is planted in a transaction that is rolled back, past triggers and unique indexes, in a ledger in which about
everything has happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from ifms.ledger.invariants import INVARIANTS, find_violations, parameters
from ifms.ledger.limits import Limits, overdue
from ifms.ledger.statuses import BeneficiaryStatus, PiStatus

pytestmark = pytest.mark.xdist_group("world")  # it takes seconds to make: one worker does


@dataclass(frozen=True)
class Damage:
    """What is done, what the row that breaks the rule is called, and which other rules it can't but break."""

    rule: str
    statement: str
    named: str
    also: frozenset[str] = frozenset()
    rows: int = 1
    limits: Limits = field(default_factory=Limits)


# In statements and names: {paid} and the like are PI numbers (support.filled_ledger), {sanction} the sanction's id that they are paid from.
PI = "ifms.payment_instruction"
OF = "payment_instruction_id = (SELECT id FROM ifms.payment_instruction WHERE pi_number = '{0}')"
MOVEMENT = (
    "INSERT INTO ifms.fund_movement (sanction_id, kind, amount, {of}, allotted_after, reserved_after, spent_after)"
)


def of(name: str) -> str:
    """The rows of a PI."""
    return OF.replace("{0}", "{" + name + "}")


DAMAGES = {
    "a payment has no bill": Damage(
        "payments_pay_bills",
        f"DELETE FROM ifms.bill WHERE payment_number = (SELECT payment_number FROM {PI} WHERE pi_number = '{{paid}}')",
        "PI {paid}, is for no bill",
    ),
    "a PI has no signature": Damage(
        "payments_pay_bills",
        f"UPDATE {PI} SET signature = NULL WHERE pi_number = '{{paid}}'",
        "PI {paid} is not signed",
    ),
    "a balance is raised": Damage(
        "balances_are_movements",
        "UPDATE ifms.sanction SET spent_amount = spent_amount + 1 WHERE id = '{sanction}'",
        "{sanction}",
    ),
    "a noted balance is changed": Damage(
        "movements_follow_one_another",
        f"UPDATE ifms.fund_movement SET spent_after = spent_after + 1 WHERE kind = 'DEBIT' AND {of('initiated')}",
        "{sanction}",
    ),
    "a movement is deleted": Damage(
        "status_and_money_agree",
        f"DELETE FROM ifms.fund_movement WHERE kind = 'DEBIT' AND {of('initiated')}",
        "{initiated}",
        frozenset({"balances_are_movements", "movements_follow_one_another"}),
    ),
    "a movement's amount is changed": Damage(
        "status_and_money_agree",
        f"UPDATE ifms.fund_movement SET amount = amount + 1 WHERE kind = 'RESERVE' AND {of('pending')}",
        "{pending}",
        frozenset({"balances_are_movements", "movements_follow_one_another"}),
    ),
    "a revision moves money": Damage(
        "status_and_money_agree",
        f"""WITH at AS (SELECT s.id AS sanction, allotted_amount AS a, reserved_amount AS r, spent_amount AS s, p.id, net_amount
                       FROM ifms.sanction s JOIN {PI} p ON p.sanction_id = s.id AND p.pi_number = '{{revision}}')
            {MOVEMENT.format(of="payment_instruction_id")}
            SELECT sanction, 'RESERVE', net_amount, id, a, r + net_amount, s FROM at
            UNION ALL SELECT sanction, 'RELEASE', net_amount, id, a, r, s FROM at""",
        "{revision}",
    ),
    "a rejected PI keeps its money": Damage(
        "status_and_money_agree",
        f"""UPDATE ifms.fund_movement SET payment_instruction_id = (SELECT id FROM {PI} WHERE pi_number = '{{revision}}')
            WHERE kind = 'REVERSAL' AND {of("rejected")}""",
        "{rejected}",
        rows=2,  # and the revision, which now has it
    ),
    "an allotment is changed": Damage(
        "allotments_are_movements",
        "UPDATE ifms.allotment SET amount = amount + 1 WHERE id = '{allotment}'",
        "{allotment}",
    ),
    "an allotment loses its sanction": Damage(
        "allotments_are_movements",
        "UPDATE ifms.allotment SET sanction_id = NULL WHERE id = '{allotment}'",
        "{allotment}",
    ),
    "an allotment has no movement": Damage(
        "allotments_are_movements",
        "INSERT INTO ifms.allotment SELECT (jsonb_populate_record(a, "
        "jsonb_build_object('id', gen_random_uuid(), 'serial_no', 77))).* FROM ifms.allotment a WHERE id = '{allotment}'",
        "/77",
    ),
    "an allotment counts in two cities": Damage(
        "allotments_count_in_one_city",
        """WITH there AS (
               INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
                   master_allotment_id, financial_year, sanctioned_amount)
               SELECT 'od.sampleb', hoa_code, ddo_code, ssu_id, grantee_code, scheme_code, master_allotment_id, '2026-27', 0
               FROM ifms.allotment WHERE id = '{allotment}' RETURNING id)
           INSERT INTO ifms.allotment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(),
               'tenant_id', 'od.sampleb', 'amount', 0, 'sanction_id', there.id))).*
           FROM ifms.allotment a CROSS JOIN there WHERE a.id = '{allotment}'""",
        "od.samplea and od.sampleb",
    ),
    "a PI names another head of account": Damage(
        "paid_by_its_own_sanction", f"UPDATE {PI} SET hoa_code = '0' WHERE pi_number = '{{paid}}'", "{paid}"
    ),
    "a PI is another city's": Damage(
        "paid_by_its_own_sanction",
        f"UPDATE {PI} SET tenant_id = 'od.sampleb' WHERE pi_number = '{{pending}}'",
        "{pending}",
        frozenset({"payment_and_its_instruction", "payments_pay_bills"}),
    ),
    "a PI is booked on another sanction": Damage(
        "paid_by_its_own_sanction",
        f"""WITH other AS (
                INSERT INTO ifms.sanction (tenant_id, hoa_code, ddo_code, ssu_id, grantee_code, scheme_code,
                    master_allotment_id, financial_year, sanctioned_amount)
                VALUES ('od.sampleb', 'h', 'd', 's', 'g', 'c', 'other-1', '2026-27', 1) RETURNING id)
            UPDATE {PI} SET sanction_id = (SELECT id FROM other) WHERE pi_number = '{{revision}}'""",
        "{revision}",
    ),
    "a payment has two originals": Damage(
        "one_original_per_payment",
        f"DROP INDEX ifms.one_original_per_payment; UPDATE {PI} SET repayment_of = NULL WHERE pi_number = '{{repayment}}'",
        "{repayment}",
        frozenset(
            {
                "payment_and_its_instruction",  # it does not name the second
                "beneficiary_is_paid_once",
                "changes_are_told",  # one acceptance too few, of an original
            }
        ),
    ),
    "two revisions are under way": Damage(
        "one_correction_at_a_time",
        f"""DROP INDEX ifms.one_revision_at_a_time;
            UPDATE {PI} SET pi_type = 'REVISED', parent_pi_number = '{{pending}}', repayment_of = NULL,
                org_bill_ref_number = '1', org_bill_date = now(), status = 'PENDING'
            WHERE pi_number IN ('{{revision}}', '{{repayment}}')""",
        "{pending} has 2",
        frozenset(
            {
                "status_and_money_agree",
                "corrections_pay_what_failed",
                "corrections_follow_the_last_payment",
                "log_tells_the_status",
                "beneficiaries_follow_their_pi",
                "changes_are_told",
            }
        ),
    ),
    "two repayments are under way": Damage(
        "one_correction_at_a_time",
        f"""DROP INDEX ifms.one_repayment_at_a_time;
            UPDATE {PI} SET repayment_of = '{{repaid}}', status = 'INITIATED'
            WHERE pi_number IN ('{{paid}}', '{{repayment}}')""",
        "{repaid} has 2",
        frozenset(
            {
                "payment_and_its_instruction",
                "corrections_pay_what_failed",
                "log_tells_the_status",
                "beneficiaries_follow_their_pi",
                "changes_are_told",
            }
        ),
    ),
    "a beneficiary is paid by two PIs": Damage(
        "beneficiary_is_paid_once",
        f"""DROP INDEX ifms.one_live_payment_per_beneficiary;
            UPDATE ifms.beneficiary SET beneficiary_number = (SELECT min(beneficiary_number) FROM ifms.beneficiary WHERE {of("paid")})
            WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary WHERE {of("initiated")})""",
        "{paid}, {initiated}",
    ),
    "a failed payment is alive again": Damage(
        "beneficiary_is_paid_once",
        f"""DROP INDEX ifms.one_live_payment_per_beneficiary;
            UPDATE ifms.beneficiary SET status = 'Payment Successful' WHERE status = 'Payment Failed' AND {of("corrected")}""",
        "{revision}, {corrected}",
        frozenset({"beneficiaries_follow_their_pi"}),
    ),
    "a line of an imported payment is paid once more": Damage(
        "imported_line_is_paid_once",
        f"""UPDATE ifms.beneficiary SET imported_as = status WHERE {of("paid")};
            UPDATE ifms.beneficiary SET line_item_ids = (SELECT line_item_ids FROM ifms.beneficiary WHERE {of("paid")} LIMIT 1)
            WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary WHERE {of("initiated")})""",
        ", imported, and by ",
    ),
    "a line of an imported PI that the treasury may have is paid once more": Damage(
        "imported_line_is_paid_once",
        f"""UPDATE ifms.beneficiary SET imported_as = status WHERE {of("rejected")};
            UPDATE {PI} SET uncertain = true WHERE pi_number = '{{rejected}}';
            UPDATE ifms.beneficiary SET line_item_ids = (SELECT line_item_ids FROM ifms.beneficiary WHERE {of("rejected")} LIMIT 1)
            WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary WHERE {of("initiated")})""",
        ", imported, and by ",
    ),
    "a bill is paid twice": Damage(
        "bill_is_paid_once",
        "ALTER TABLE ifms.bill DROP CONSTRAINT bill_bill_id_key; "
        "INSERT INTO ifms.bill (tenant_id, bill_id, payment_number) "
        "SELECT tenant_id, bill_id, 'EP/X' FROM ifms.bill ORDER BY bill_id LIMIT 1",
        "EP/X",
    ),
    "a bill is paid once more under another code of its city": Damage(
        "bill_is_paid_once",
        "ALTER TABLE ifms.bill DROP CONSTRAINT bill_bill_id_key; "
        "INSERT INTO ifms.bill (tenant_id, bill_id, payment_number) "
        "SELECT 'od.moved', bill_id, payment_number FROM ifms.bill ORDER BY bill_id LIMIT 1",
        " of od.moved",
    ),
    "a payment is known once more under another code of its city": Damage(
        "bill_is_paid_once",
        "DROP INDEX ifms.payment_is_known_once; "
        "INSERT INTO ifms.payment (tenant_id, payment_number, payment_id, amount, raised_at) "
        "SELECT 'od.moved', payment_number, payment_id, amount, now() FROM ifms.payment WHERE payment_id <> '' LIMIT 1",
        " of od.moved",
    ),
    "a beneficiary gets more": Damage(
        "header_and_rows_agree",
        f"UPDATE ifms.beneficiary SET amount = amount + 1 WHERE {of('repaid')}",
        "{repaid}",
        frozenset({"corrections_pay_what_failed"}),  # its repayment pays less now
    ),
    "a beneficiary vanishes": Damage(
        "header_and_rows_agree",
        f"DELETE FROM ifms.beneficiary WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary WHERE {of('paid')})",
        "{paid}",
    ),
    "a payment forgets its PI": Damage(
        "payment_and_its_instruction",
        f"UPDATE ifms.payment SET paid_by = NULL WHERE paid_by = (SELECT id FROM {PI} WHERE pi_number = '{{paid}}')",
        "{paid}",
    ),
    "a payment names a PI that has FAILED": Damage(
        "payment_and_its_instruction",
        f"UPDATE ifms.payment SET paid_by = p.id FROM {PI} p WHERE p.pi_number = '{{declined}}' "
        "AND payment.payment_number = p.payment_number",
        "{payment of declined}",
    ),
    "a payment is owed less than its PI pays": Damage(
        "payment_and_its_instruction",
        f"UPDATE ifms.payment SET amount = amount - 1 WHERE paid_by = (SELECT id FROM {PI} WHERE pi_number = '{{paid}}')",
        "{paid}",
    ),
    "a payment is deleted": Damage(
        "payment_and_its_instruction",
        f"DELETE FROM ifms.payment WHERE paid_by = (SELECT id FROM {PI} WHERE pi_number = '{{paid}}')",
        "{paid}",
    ),
    "a correction pays somebody else": Damage(
        "corrections_pay_what_failed",
        f"UPDATE ifms.beneficiary SET beneficiary_number = 'BN-SA/X' WHERE {of('revision')}",
        "BN-SA/X",
    ),
    "a correction follows another payment": Damage(
        "corrections_pay_what_failed",
        f"UPDATE {PI} SET parent_pi_number = '{{repaid}}' WHERE pi_number = '{{revision}}'",
        "{revision}",
        frozenset({"corrections_follow_the_last_payment"}),
    ),
    "a correction follows another original than failed": Damage(
        "corrections_follow_the_last_payment",
        f"UPDATE {PI} SET repayment_of = '{{corrected}}' WHERE pi_number = '{{repayment}}'",
        "PI {repayment} follows {corrected}, and ",
        frozenset({"corrections_pay_what_failed"}),
    ),
    "a status is written by hand": Damage(
        "log_tells_the_status",
        f"UPDATE {PI} SET status = 'APPROVED' WHERE pi_number = '{{initiated}}'",
        "{initiated}",
    ),
    "the last step is not in the log": Damage(
        "log_tells_the_status",
        f"DELETE FROM ifms.status_log WHERE to_status = 'IN PROCESS' AND {of('paid')}",
        "{paid}",
    ),
    "a log has two beginnings": Damage(
        "log_tells_the_status",
        "INSERT INTO ifms.status_log (payment_instruction_id, tenant_id, payment_number, service_id, status, from_status,"
        f" to_status) SELECT id, tenant_id, payment_number, 'PI', 's', 'PENDING', status FROM {PI}"
        " WHERE pi_number = '{paid}'",
        "{paid}",
        frozenset({"changes_are_told"}),  # once, not twice
    ),
    "a log takes a step that is not allowed": Damage(
        "log_tells_the_status",
        f"UPDATE ifms.status_log SET to_status = 'SUCCESSFUL' WHERE to_status = 'INITIATED' AND {of('declined')} OR "
        f"to_status = 'FAILED' AND {of('declined')}; UPDATE {PI} SET status = 'SUCCESSFUL' WHERE pi_number = '{{declined}}'",
        "{declined}",
        frozenset(
            {
                "status_and_money_agree",
                "payment_and_its_instruction",
                "beneficiaries_follow_their_pi",
                "changes_are_told",
            }
        ),
    ),
    "the treasury's answer is gone": Damage(
        "treasury_has_answered",
        f"DELETE FROM ifms.treasury_call WHERE service_id = 'PI' AND {of('paid')}",
        "{paid}",
    ),
    "the treasury's answer to a revision is gone": Damage(
        "treasury_has_answered",
        f"UPDATE ifms.treasury_call SET outcome = 'unknown' WHERE service_id = 'COR' AND {of('revision')}",
        "{revision}",
    ),
    "a paid PI has a beneficiary that is not": Damage(
        "beneficiaries_follow_their_pi",
        f"""UPDATE ifms.beneficiary SET status = 'Payment In Process'
            WHERE id = (SELECT min(id::text)::uuid FROM ifms.beneficiary WHERE {of("paid")})""",
        "{paid}",
        frozenset({"lines_are_told"}),
    ),
    "somebody is paid without a scroll": Damage(
        "beneficiaries_follow_their_pi",
        f"UPDATE ifms.beneficiary SET utr_number = NULL WHERE {of('repayment')}",
        "{repayment}",
    ),
    "somebody failed on no day": Damage(
        "beneficiaries_follow_their_pi",
        f"UPDATE ifms.beneficiary SET failed_on = NULL WHERE status = 'Payment Failed' AND {of('partial')}",
        "{partial}",
    ),
    "a PARTIAL PI without a failure": Damage(
        "beneficiaries_follow_their_pi",
        "UPDATE ifms.beneficiary SET status = 'Payment Successful', failed_on = NULL "
        f"WHERE status = 'Payment Failed' AND {of('partial')}",
        "{partial}",
        frozenset({"lines_are_told"}),
    ),
    "an acceptance is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'status' = 'INITIATED' AND ordering_key = '{key of paid}'",
        "{key of paid} was INITIATED 1 time(s), which was told 0",
    ),
    "a refusal is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'status' = 'FAILED' AND ordering_key = '{key of declined}'",
        "{key of declined} was FAILED",
        frozenset({"lines_are_told"}),
    ),
    "a rejection is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'status' = 'FAILED' AND ordering_key = '{key of rejected}'",
        "{key of rejected} was FAILED",
        frozenset({"lines_are_told"}),
    ),
    "a correction is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'lineStatus' = 'INITIATED' AND ordering_key = '{key of corrected}'",
        "{key of corrected} was corrected",
    ),
    "success is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'status' = 'SUCCESSFUL' AND ordering_key = '{key of paid}'",
        "{key of paid} was SUCCESSFUL",
        frozenset({"lines_are_told"}),
    ),
    "a lack of funds is not told": Damage(
        "changes_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'referenceStatus' = 'PAYMENT_INSUFFICIENT_FUNDS'",
        "waits for funds",
    ),
    "a failure is not told": Damage(
        "failures_are_told",
        "DELETE FROM ifms.outbox WHERE payload->>'lineStatus' = 'FAILED' AND ordering_key = '{key of partial}'",
        "{key of partial}",
        frozenset({"lines_are_told"}),
    ),
    "a line of nothing is paid": Damage(
        "zero_lines_are_nobodys",
        f"""UPDATE {PI} p SET additional_details = jsonb_build_object('nothingToPay', jsonb_build_array(
                jsonb_build_object('lineItemId', (SELECT line_item_ids[1] FROM ifms.beneficiary b
                                                  WHERE b.payment_instruction_id = p.id LIMIT 1))))
            WHERE pi_number = '{{paid}}'""",
        "is noted on PI {paid} as nothing to pay",
    ),
    "a line of nothing is told of": Damage(
        "zero_lines_are_nobodys",
        f"""UPDATE {PI} SET additional_details = '{{{{"nothingToPay": [{{{{"lineItemId": "none"}}}}]}}}}'
            WHERE pi_number = '{{partial}}';
            UPDATE ifms.outbox SET payload = jsonb_set(payload, '{{{{lines}}}}', payload->'lines' || '"none"')
            WHERE payload->>'lineStatus' = 'FAILED' AND ordering_key = '{{key of partial}}'""",
        "line none is noted on PI {partial} as nothing to pay, and message",
    ),
    "of two that are paid one is told": Damage(
        "lines_are_told",
        """UPDATE ifms.outbox SET payload = payload || jsonb_build_object('lineStatus', 'SUCCESSFUL', 'lines',
               (SELECT to_jsonb(b.line_item_ids) FROM ifms.beneficiary b WHERE {of paid} LIMIT 1))
           WHERE payload->>'status' = 'SUCCESSFUL' AND ordering_key = '{key of paid}'""",
        "of payment {key of paid} was told to be INITIATED last; it is SUCCESSFUL",
    ),
    "who has failed is told to be paid": Damage(
        "lines_are_told",
        "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, delivered_at) "
        "SELECT topic, tenant_id, ordering_key, payload, now() FROM ifms.outbox "
        "WHERE payload->>'status' = 'SUCCESSFUL' AND ordering_key = '{key of partial}'",
        "of payment {key of partial} was told to be SUCCESSFUL last; it is FAILED",
        rows=2,
    ),
    "who is paid anew is told of as failed": Damage(
        "lines_are_told",
        "INSERT INTO ifms.outbox (topic, tenant_id, ordering_key, payload, delivered_at) "
        "SELECT topic, tenant_id, ordering_key, payload, now() FROM ifms.outbox "
        "WHERE payload->>'lineStatus' = 'FAILED' AND ordering_key = '{key of repaid}'",
        "of payment {key of repaid} was told to be FAILED last; it is SUCCESSFUL",
        rows=2,
    ),
    "a payment that is paid in part is told to be SUCCESSFUL": Damage(
        "lines_are_told",
        """UPDATE ifms.outbox SET payload = payload || '{{"status": "SUCCESSFUL"}}' WHERE id = (
               SELECT max(id) FROM ifms.outbox WHERE topic = 'payment_status' AND ordering_key = '{key of partial}')""",
        "payment {key of partial} was told to be SUCCESSFUL last; 2 of its 3 lines are paid",
    ),
    "a payment that is paid is told to be under way": Damage(
        "lines_are_told",
        """UPDATE ifms.outbox SET payload = payload || '{{"status": "INITIATED"}}' WHERE id = (
               SELECT max(id) FROM ifms.outbox WHERE topic = 'payment_status' AND ordering_key = '{key of repaid}')""",
        "payment {key of repaid} was told to be INITIATED last",
        frozenset({"changes_are_told"}),
        rows=2,
    ),
    "a payment's lines were told of to nobody": Damage(
        "lines_are_told",
        "UPDATE ifms.outbox SET ordering_key = 'X', payload = payload - 'paymentNumber' "
        "WHERE topic = 'payment_status' AND ordering_key = '{key of initiated}'",
        "of payment {key of initiated} was told of to nobody; it is INITIATED",
        frozenset({"changes_are_told"}),
        rows=2,
    ),
    "who is paid is not told": Damage(
        "beneficiaries_are_told",
        "INSERT INTO ifms.notice (topic, wanted) VALUES ('sms', true); "
        "UPDATE ifms.beneficiary SET updated_at = now() + interval '1 hour' WHERE id = (SELECT id FROM ifms.beneficiary "
        f"WHERE status = 'Payment Successful' AND beneficiary_type <> 'DEPT' AND {of('paid')} LIMIT 1)",
        "is Payment Successful, and no SMS says so",
    ),
    "whose payment came back is not told": Damage(
        "beneficiaries_are_told",
        "INSERT INTO ifms.notice (topic, wanted) VALUES ('sms', true); "
        "UPDATE ifms.beneficiary SET updated_at = now() + interval '1 hour' WHERE id = (SELECT id FROM ifms.beneficiary "
        f"WHERE status = 'Payment Failed' AND beneficiary_type <> 'DEPT' AND {of('partial')} LIMIT 1)",
        "is Payment Failed, and no SMS says so",
    ),
    "a message is set aside": Damage(
        "messages_are_delivered",
        "UPDATE ifms.outbox SET delivered_at = NULL, set_aside_at = now(), last_error = 'sample refusal' "
        "WHERE id = (SELECT min(id) FROM ifms.outbox)",
        "sample refusal",
    ),
    "messages wait for long": Damage(
        "messages_are_delivered",
        "UPDATE ifms.outbox SET delivered_at = NULL, created_at = now() - interval '25 hours' "
        "WHERE ordering_key = '{key of paid}'",
        "{key of paid}",  # the first alone: the others wait for it
    ),
    "a watermark is in the future": Damage(
        "watermarks_are_past",
        "UPDATE ifms.va_watermark SET fetched_until = now() + interval '1 day' "
        "WHERE id = (SELECT min(id::text)::uuid FROM ifms.va_watermark)",
        "the watermark of od.samplea",
    ),
    "a payment could not be imported": Damage(
        "nothing_is_withheld",
        "INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) VALUES ('od.samplea', 'EP/1', 'sample')",
        "payment EP/1 of od.samplea: sample",
    ),
    "two payments are paid by one number": Damage(
        "numbers_name_one_payment",
        f"""INSERT INTO ifms.payment SELECT (jsonb_populate_record(y, jsonb_build_object('id', gen_random_uuid(),
                'payment_id', '', 'payment_number', lower(y.payment_number)))).*
            FROM ifms.payment y JOIN {PI} p ON p.id = y.paid_by WHERE p.pi_number = '{{paid}}'""",
        " of od.samplea, whose numbers differ in nothing else, have a PI each",
        frozenset({"payment_and_its_instruction"}),
    ),
    "the ledger was restored": Damage(
        "nothing_is_in_doubt",
        "INSERT INTO ifms.restored (os_user) VALUES ('sample')",
        "{payment of declined}",
        rows=4,
    ),
    "a PI that FAILED is at the treasury": Damage(
        "failed_is_not_at_the_treasury",
        f"UPDATE {PI} SET found_failed_at = now() WHERE pi_number = '{{declined}}'",
        "PI {declined} of",
    ),
    "a payment's earlier PI may be at the treasury": Damage(
        "earlier_numbers_are_known",
        "UPDATE ifms.payment SET hold_code = 'PI_IN_DOUBT' WHERE payment_number = '{payment of declined}'",
        "payment {payment of declined} of",
    ),
    "a phrase by which a PI has FAILED was wrong": Damage(
        "withdrawn_phrases_end_nothing",
        "WITH f AS (INSERT INTO ifms.phrase (services, text, meaning, reason, added_by, withdrawn_at, withdrawn_by, "
        "withdrawn_reason) VALUES ('{{PI}}', 'a b', 'content error', 'x', 'a tester', now() + interval '1 hour', "
        "'another', 'y') RETURNING id), "
        f"p AS (UPDATE {PI} SET payment_number = '{{payment of initiated}}', created_at = now() - interval '1 year' "
        "WHERE pi_number = '{declined}' RETURNING id) "
        "INSERT INTO ifms.ended_by_phrase SELECT f.id, p.id FROM f, p",
        "PI {declined} of od.samplea",
        frozenset({"changes_are_told", "lines_are_told"}),
    ),
    "nobody understands what the treasury says": Damage(
        "answers_are_understood",
        "WITH a AS (INSERT INTO ifms.unknown_answer (service_id, template, sample) VALUES ('PIS', 'sample', 'Sample') "
        f"RETURNING id) UPDATE {PI} SET unknown_answer_id = a.id FROM a WHERE pi_number = '{{initiated}}'",
        'PIS says "Sample" since',
    ),
    "a claim is forgotten": Damage(
        "claims_are_given_back",
        f"UPDATE {PI} SET claim_token = gen_random_uuid(), claimed_until = now() - interval '25 hours' "
        "WHERE pi_number = '{initiated}'",
        "{initiated}",
    ),
    "a payment's claim is forgotten": Damage(
        "claims_are_given_back",
        "UPDATE ifms.payment SET claimed_until = now() - interval '25 hours' "
        "WHERE payment_number = '{payment of declined}'",
        "{payment of declined}",
    ),
    "a PI is PENDING for long": Damage(
        "pending_is_settled",
        f"UPDATE {PI} SET created_at = now() - interval '25 hours' WHERE pi_number = '{{pending}}'",
        "{pending}",
    ),
    "a PI is INITIATED for long": Damage(
        "statuses_move_on",
        f"UPDATE {PI} SET status_since = now() - interval '16 days', error_message = 'sample 12345678901' "
        "WHERE pi_number = '{initiated}'",
        "PI {initiated} (ORIGINAL) is INITIATED since",
    ),
    "a PI is INITIATED for longer than is allowed": Damage(
        "statuses_move_on",
        f"UPDATE {PI} SET status_since = now() - interval '3 days', error_message = 'sample 12345678901' "
        "WHERE pi_number = '{initiated}'",
        "ifms_pis asks whether the SSU has approved it, which said: sample *****8901",
        limits=Limits(initiated=timedelta(days=2)),
    ),
    **{
        f"a PI is {status} for long": Damage(
            "statuses_move_on",
            f"UPDATE {PI} SET status = '{status}', status_since = now() - interval '8 days' "
            "WHERE pi_number = '{initiated}'",
            f"is {status} since",
            frozenset({"log_tells_the_status", "beneficiaries_follow_their_pi"}),
        )
        for status in ("APPROVED", "IN PROCESS")
    },
    "a revision is INITIATED for long": Damage(
        "statuses_move_on",
        f"UPDATE {PI} SET status = 'INITIATED', status_since = now() - interval '16 days' "
        "WHERE pi_number = '{revision}'",
        "PI {revision} (REVISED) is INITIATED since",
        frozenset({"log_tells_the_status"}),
    ),
    "a payment is on hold for long": Damage(
        "payments_get_instructions",
        "UPDATE ifms.payment SET held_since = now() - interval '8 days' WHERE payment_number = '{payment of declined}'",
        "{payment of declined}",
    ),
    "a payment waits for funds for long": Damage(
        "payments_get_instructions",
        "UPDATE ifms.payment SET held_since = now() - interval '31 days' "
        "WHERE hold_code = 'PAYMENT_INSUFFICIENT_FUNDS'",
        "PAYMENT_INSUFFICIENT_FUNDS",
    ),
    "a payment waits for funds for longer than is allowed": Damage(
        "payments_get_instructions",
        "UPDATE ifms.payment SET held_since = now() - interval '8 days' WHERE hold_code = 'PAYMENT_INSUFFICIENT_FUNDS'",
        "PAYMENT_INSUFFICIENT_FUNDS",
        limits=Limits(unfunded=timedelta(days=7)),
    ),
    "a line of a payment is cancelled, and the others wait": Damage(
        "payments_get_instructions",
        "UPDATE ifms.payment SET held_since = now() - interval '8 days', hold_code = 'LINE_CANCELLED' "
        "WHERE payment_number = '{payment of declined}'",
        "(LINE_CANCELLED)",
    ),
    "no run has taken a payment up for long": Damage(
        "payments_get_instructions",
        "UPDATE ifms.payment SET raised_at = now() - interval '9 days', seen_at = now() - interval '8 days', "
        "hold_code = NULL, held_since = NULL, hold_message = NULL, released_at = NULL "
        "WHERE payment_number = '{payment of declined}'",
        "no run of ifms_pi has taken it up since",
    ),
    "an initial allotment does not come": Damage(
        "allotments_count",
        "INSERT INTO ifms.allotment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'ddo_code', "
        "'RENAMED', 'kind', 'ADDITIONAL', 'sanction_id', NULL, 'received_at', now() - interval '3 days'))).* "
        "FROM ifms.allotment a WHERE id = '{allotment}'",
        "DDO RENAMED, head of account",
    ),
    "a failure matches nothing for long": Damage(
        "failures_are_matched",
        "INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched, first_told_at) "
        "VALUES ('PI-X', '', '2026-06-01', 'sample reason', now() - interval '8 days')",
        " of bill PI-X, nobody named, told since",
    ),
    "somebody is told of as paid by another transfer, too": Damage(
        "one_transfer_each",
        f"""INSERT INTO ifms.other_transfer (beneficiary_row, utr_number)
            SELECT id, 'UTR-OTHER' FROM ifms.beneficiary WHERE {of("paid")} ORDER BY id LIMIT 1""",
        " of PI {paid}, Payment Successful by ",
    ),
    "nobody corrects who has failed, and the last day is near": Damage(
        "failures_are_corrected",
        f"UPDATE ifms.beneficiary SET failed_on = (now() AT TIME ZONE 'Asia/Kolkata')::date - 76 "
        f"WHERE status = 'Payment Failed' AND {of('partial')}; "
        "UPDATE ifms.setting SET correction_last_month = 3, correction_last_day = 31",
        "of PI {partial} (od.samplea), ",
    ),
    "nobody has paid who has failed, and the last day is over": Damage(
        "failures_are_corrected",
        f"UPDATE ifms.beneficiary SET failed_on = failed_on - 200 WHERE status = 'Payment Failed' AND {of('partial')}",
        "the last day to correct it was",
    ),
    "a voucher date was never asked about": Damage(
        "failures_are_asked_for",
        f"""UPDATE {PI} SET created_at = now() - interval '40 days' WHERE pi_number = '{{paid}}';
            UPDATE ifms.beneficiary SET voucher_date = voucher_date - 30 WHERE {of("paid")}""",
        ": ifms_fd has never had an answer about what came back",
    ),
    "an approved proposal was never begun": Damage(
        "approved_is_done",
        """INSERT INTO ifms.proposal (act, tenant_id, subject, parameters, reason, proposed_by, proposed_at, expires_at,
                approved_by, approved_at)
            VALUES ('settle', 'od.samplea', '{pending}', '{{}}', 'sample', 'one', now() - interval '3 hours',
                now() + interval '7 days', 'two', now() - interval '2 hours')""",
        "(settle of {pending}), which two approved",
    ),
    "a PI is PENDING for longer than is allowed": Damage(
        "pending_is_settled",
        f"UPDATE {PI} SET created_at = now() - interval '3 hours' WHERE pi_number = '{{pending}}'",
        "{pending}",
        limits=Limits(pending=timedelta(hours=2)),
    ),
}


@pytest.fixture(scope="module")
def names(world) -> Mapping[str, str]:
    """What the texts above call things."""
    found = dict(world.numbers)
    for name, number in world.numbers.items():
        [row] = world.adapter.rows(
            "SELECT tenant_id, payment_number FROM ifms.payment_instruction WHERE pi_number = %s", number
        )
        found[f"payment of {name}"] = row["payment_number"]
        found[f"key of {name}"] = f"{row['tenant_id']}:{row['payment_number']}"
    [row] = world.adapter.rows(
        """SELECT a.id::text AS allotment, a.sanction_id::text AS sanction
        FROM ifms.allotment a JOIN ifms.payment_instruction p ON p.sanction_id = a.sanction_id
        WHERE p.pi_number = %s ORDER BY a.serial_no, a.id LIMIT 1""",
        found["paid"],
    )
    found |= row
    return found | {f"of {name}": OF.replace("{0}", number) for name, number in world.numbers.items()}


@pytest.fixture
def behind(world):
    """A connection past all triggers, whose changes are rolled back."""
    with psycopg.connect(world.adapter.dsn) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        yield connection
        connection.rollback()


def test_nothing_is_found_where_everything_has_happened(world):
    """Failures, corrections, a repayment, a refusal, a rejection, no funds, no answer: all by the adapter's own sweeps."""
    assert {row["status"] for row in world.adapter.rows("SELECT status FROM ifms.payment_instruction")} == {
        *("PENDING", "INITIATED", "SUCCESSFUL", "PARTIAL", "COMPLETED", "FAILED")
    }
    with psycopg.connect(world.adapter.dsn) as connection:
        assert find_violations(connection) == []


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_that_rule_names_that_row(behind, names, damage):
    behind.execute(damage.statement.format_map(names))
    findings = {finding.invariant.name: finding for finding in find_violations(behind, damage.limits)}
    assert set(findings) - damage.also == {damage.rule}
    finding = findings[damage.rule]
    assert (finding.count, len(finding.rows)) == (damage.rows, damage.rows)
    assert damage.named.format_map(names) in " ".join(finding.rows)


def test_a_closed_or_a_young_failure_is_no_finding(behind):
    behind.execute(
        """
        INSERT INTO ifms.reported_failure (bill_number, beneficiary_id, voucher_date, why_unmatched, first_told_at,
            matched_at, settled_at, settled_by, settled_reason)
        VALUES ('PI-X', '1', '2026-06-01', 'w', now() - interval '8 days', NULL, now(), 'sample', 'sample reason'),
               ('PI-X', '2', '2026-06-01', 'w', now() - interval '8 days', now(), NULL, NULL, NULL),
               ('PI-X', '3', '2026-06-01', 'w', now() - interval '6 days', NULL, NULL, NULL, NULL)
        """
    )
    assert find_violations(behind) == []


def test_an_allotment_that_waits_for_a_day_is_no_finding(behind, names):
    damage = DAMAGES["an initial allotment does not come"].statement.replace("3 days", "1 day")
    behind.execute(damage.format_map(names))
    assert find_violations(behind) == []


def test_who_has_failed_lately_or_is_on_the_way_again_is_no_finding(behind, names):
    failed = f"WHERE status = 'Payment Failed' AND {of('partial').format_map(names)}"
    behind.execute("UPDATE ifms.setting SET correction_last_month = 3, correction_last_day = 31")
    behind.execute(f"UPDATE ifms.beneficiary SET failed_on = (now() AT TIME ZONE 'Asia/Kolkata')::date - 74 {failed}")
    assert find_violations(behind) == []
    assert [f.invariant.name for f in find_violations(behind, Limits(uncorrected=timedelta(days=16)))] == [
        "failures_are_corrected"
    ]
    behind.execute(f"UPDATE ifms.beneficiary SET failed_on = failed_on - 200 {failed}")
    assert {f.invariant.name for f in find_violations(behind)} == {"failures_are_corrected"}
    [(original,)] = behind.execute(
        "SELECT original_pi_number FROM ifms.failed_beneficiary WHERE pi_number = %s", [names["partial"]]
    ).fetchall()
    on_its_way = f"UPDATE {PI} SET parent_pi_number = %s, status = 'INITIATED' WHERE pi_number = %s"
    behind.execute(on_its_way, [original, names["revision"]])
    assert "failures_are_corrected" not in {f.invariant.name for f in find_violations(behind)}


@pytest.mark.parametrize(
    "changed",
    [
        "hold_code = 'PAYMENT_CANCELLED', held_since = now() - interval '8 days', seen_at = raised_at",
        "hold_code = NULL, hold_message = NULL, held_since = NULL, seen_at = now()",
        "hold_code = NULL, hold_message = NULL, held_since = NULL, seen_at = raised_at, released_at = now()",
    ],
)
def test_a_payment_that_nobody_wants_paid_or_that_was_just_heard_of_or_released_is_no_finding(behind, names, changed):
    behind.execute(
        f"UPDATE ifms.payment SET raised_at = now() - interval '9 days', {changed} "
        f"WHERE payment_number = '{names['payment of declined']}'"
    )
    assert find_violations(behind) == []


def test_what_no_run_may_take_up_is_told_by_the_rule_that_says_why(behind, names):
    """After a restore, or withheld by the import: not as if a run had forgotten it."""
    behind.execute(
        "UPDATE ifms.payment SET raised_at = now() - interval '9 days', seen_at = now() - interval '8 days', "
        "hold_code = NULL, held_since = NULL, hold_message = NULL WHERE payment_number = %s",
        [names["payment of declined"]],
    )
    behind.execute(
        "INSERT INTO ifms.import_withheld (tenant_id, payment_number, reason) "
        "SELECT tenant_id, payment_number, 'sample' FROM ifms.payment WHERE payment_number = %s",
        [names["payment of declined"]],
    )
    assert {finding.invariant.name for finding in find_violations(behind)} == {"nothing_is_withheld"}
    behind.execute("DELETE FROM ifms.import_withheld")
    behind.execute("INSERT INTO ifms.restored (os_user) VALUES ('sample')")
    assert {finding.invariant.name for finding in find_violations(behind)} == {"nothing_is_in_doubt"}


def paid_so_long_ago(behind, names, days):
    """The paid PI is as if it had been paid so many days before today (IST), which this returns."""
    behind.execute(f"UPDATE {PI} SET created_at = now() - interval '200 days' WHERE pi_number = '{names['paid']}'")
    [(voucher, today)] = behind.execute(
        "UPDATE ifms.beneficiary SET voucher_date = (now() AT TIME ZONE 'Asia/Kolkata')::date - %s, "
        f"updated_at = now() - %s * interval '1 day' WHERE {of('paid').format_map(names)} "
        "RETURNING voucher_date, (now() AT TIME ZONE 'Asia/Kolkata')::date",
        (days, days),
    ).fetchall()[:1]
    return voucher, today


def asked(behind, day, hours):
    """The treasury answered about this voucher date so many hours ago."""
    behind.execute(
        "INSERT INTO ifms.voucher_date_asked VALUES (%s, now() - %s, gen_random_uuid())"
        " ON CONFLICT (voucher_date) DO UPDATE SET answered_at = excluded.answered_at",
        (day, timedelta(hours=hours)),
    )


@pytest.mark.parametrize(
    ("days", "hours", "limits", "found"),
    [
        (30, 24, Limits(), False),
        (30, 26, Limits(), True),
        (30, 26, Limits(unasked=timedelta(days=2)), False),
        (100, 26, Limits(), True),
        (101, 26, Limits(), False),
        (30, 26, Limits(returnable=timedelta(days=29)), False),
    ],
)
def test_a_window_that_was_not_covered_lately(behind, names, days, hours, limits, found):
    voucher, _ = paid_so_long_ago(behind, names, days)
    asked(behind, voucher, hours)
    said = [row for finding in find_violations(behind, limits) for row in finding.rows]
    assert [row.split(": ")[0] for row in said] == ([f"voucher date {voucher}"] if found else [])
    assert all("the last answer about what came back was on 20" in row for row in said)


def test_a_voucher_date_that_can_not_be_right_has_to_be_asked_about_too(behind, names):
    _, today = paid_so_long_ago(behind, names, 30)
    wrong = today.replace(year=today.year + 36, day=1)
    behind.execute(f"UPDATE {PI} SET bill_date = now() - interval '32 days' WHERE pi_number = '{names['paid']}'")
    behind.execute(
        f"UPDATE ifms.beneficiary SET voucher_date = %s WHERE {of('paid').format_map(names)}",
        (wrong,),
    )
    [finding] = find_violations(behind)
    assert finding.invariant.name == "failures_are_asked_for"
    [row] = finding.rows
    assert row.startswith("4 voucher dates, ")
    assert f" to {wrong}: " in row


def test_dates_that_were_not_asked_about_are_told_together(behind, names):
    paid_so_long_ago(behind, names, 60)
    behind.execute(
        f"UPDATE {PI} SET created_at = now() - interval '9 days', bill_date = now() - interval '9 days',"
        f" status_since = now() WHERE pi_number = '{names['initiated']}'"
    )
    [finding] = find_violations(behind)
    assert finding.invariant.name == "failures_are_asked_for"
    [row] = finding.rows
    assert row.startswith("9 voucher dates, ") or row.startswith("10 voucher dates, ")


def test_who_has_failed_needs_no_asking(behind, names):
    paid_so_long_ago(behind, names, 30)
    behind.execute(
        f"UPDATE ifms.beneficiary SET status = 'Payment Failed', failed_on = voucher_date WHERE {of('paid').format_map(names)}"
    )
    assert "failures_are_asked_for" not in {finding.invariant.name for finding in find_violations(behind)}


@pytest.mark.parametrize("since", [timedelta(days=14, hours=23), timedelta(days=15, hours=1)])
def test_the_pages_and_the_rule_go_by_the_same_limits(behind, names, since):
    behind.execute(f"UPDATE {PI} SET status_since = now() - %s WHERE pi_number = %s", (since, names["initiated"]))
    [(status, at, now)] = behind.execute(
        f"SELECT status, status_since, now() FROM {PI} WHERE pi_number = %s", (names["initiated"],)
    )
    assert overdue("ORIGINAL", status, at, now) == bool(find_violations(behind))


def test_each_rule_has_its_damage():
    assert {damage.rule for damage in DAMAGES.values()} == {invariant.name for invariant in INVARIANTS}


def test_each_rule_says_what_it_means_and_what_to_do():
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
    for invariant in INVARIANTS:
        assert len(invariant.meaning) > 20, invariant.name
        assert len(invariant.remedy) > 20, invariant.name
        assert not invariant.remedy.endswith("."), invariant.name


def test_many_rows_are_counted_and_some_are_named(behind):
    behind.execute("UPDATE ifms.beneficiary SET amount = amount + 1")
    [finding] = [each for each in find_violations(behind, shown=3) if each.invariant.name == "header_and_rows_agree"]
    assert finding.count == len(behind.execute("SELECT FROM ifms.payment_instruction").fetchall())
    assert len(finding.rows) == 3


@pytest.mark.parametrize("kind", ["ORIGINAL", "REVISED", "REPAYMENT"])
@pytest.mark.parametrize("status", PiStatus)
def test_statuses_that_go_together_are_reachable(kind, status):
    """A beneficiary that stands with its PI may go on only to where the PI, or a step of it, allows it to stand."""
    from ifms.ledger.invariants import _TOGETHER
    from ifms.ledger.statuses import BENEFICIARY_TRANSITIONS

    together = _TOGETHER[kind]
    if status not in together:  # a revision is neither approved nor advised
        assert (kind, status) in {("REVISED", PiStatus.APPROVED), ("REVISED", PiStatus.IN_PROCESS)}
        return
    for stands in together[status] - {BeneficiaryStatus.PENDING}:
        came_from = {start for start, end in BENEFICIARY_TRANSITIONS if end is stands}
        assert came_from & set().union(*together.values()), (kind, status, stands)


def test_no_query_asks_row_by_row(world):
    """At a million PIs a subquery per row would never end: every plan is one pass of scans, joins and sums."""
    with psycopg.connect(world.adapter.dsn) as connection:
        for invariant in INVARIANTS:
            plan = connection.execute(
                sql.SQL("EXPLAIN (FORMAT TEXT) " + invariant.query),
                parameters(Limits()),
            ).fetchall()
            text = "\n".join(line for (line,) in plan)
            assert "SubPlan" not in text, (invariant.name, text)
