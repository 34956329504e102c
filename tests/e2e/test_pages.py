"""The pages in a real browser, in a real Airflow: what failed is corrected, what is unknown settled, what has no PI tried again."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from support.adapter import Treasury
from support.browser import Standalone, logged_in
from support.failed import failing, mend, original, paid_and_failed, revisions, wage_bill

from ifms.errors import SweepError

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("browser"),
    pytest.mark.simulators(platform={"cities": 1, "bills_per_city": 0}),
]

# The contrast of every text with what is behind it; and what lacks a name for who can't see it.
LOOK = """
() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const faint = [], nameless = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || e.closest('svg, .hidden, .skip')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.push(walker.currentNode.textContent.trim());
  }
  for (const e of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!e.labels.length) nameless.push(e.outerHTML);
  for (const e of document.querySelectorAll('table')) if (!e.caption) nameless.push(e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll('th')) if (!e.scope) nameless.push(e.outerHTML);
  for (const e of document.querySelectorAll('a, button')) if (!e.textContent.trim()) nameless.push(e.outerHTML);
  const root = document.documentElement;
  return {faint, nameless, over: root.scrollWidth - root.clientWidth, headings: document.querySelectorAll('h1').length};
}
"""


def test_a_failed_payment_is_found_corrected_and_seen_paid(standalone: Standalone, chromium: Any):
    adapter = standalone.adapter
    paid_and_failed(adapter, 3, 3)
    number = original(adapter)["pi_number"]
    one, two, dormant = failing(adapter)
    mend(adapter, [one, two])
    with logged_in(chromium, standalone) as page:
        page.get_by_role("link", name="Payments").first.click()

        frame = page.frame_locator("iframe")
        frame.get_by_role("heading", name="Overview").wait_for()
        frame.get_by_role("link", name="Payment instructions", exact=True).click()
        frame.get_by_role("link", name=number).click()
        frame.get_by_role("heading", name=number).wait_for()
        frame.get_by_role("link", name="Generate revised PI").click()
        frame.get_by_role("heading", name=f"Generate a revised PI for {number}?").wait_for()
        frame.get_by_text("2 of 3 ticked").wait_for()
        for other in (one, two):
            frame.get_by_role("checkbox", name=f"To the other account {other}").uncheck()
        assert frame.get_by_role("button", name="Generate revised PI").is_disabled()
        for other in (one, two):
            frame.get_by_role("checkbox", name=f"To the other account {other}").check()
        frame.get_by_role("checkbox", name=f"Same account on purpose {dormant}").check()
        total = f"{original(adapter)['net_amount']:.2f}"[-6:]
        frame.get_by_text("3 of 3 ticked, ₹").filter(has_text=f"{total} together").wait_for()
        _looks(chromium, standalone, [f"{standalone.client.address}/ifms/confirm?action=revise&number={number}"])
        frame.get_by_role("button", name="Generate revised PI").click()
        frame.get_by_text("ifms_cor has ended").wait_for()
        [revision] = revisions(adapter)
        assert revision["beneficiary_count"] == 3
        [choice] = adapter.rows("SELECT message FROM ifms.status_log WHERE status = 'STATUS_LOG_COR_SAME_ACCOUNT'")
        assert choice["message"] == f"paid to the account that failed, on purpose, by admin: {dormant}"
        frame.get_by_text(f"Revised payment instruction {revision['pi_number']} generated and submitted").wait_for()
        frame.get_by_role("link", name=revision["pi_number"]).first.click()  # what came of the button
        frame.get_by_role("heading", name=revision["pi_number"]).wait_for()
        frame.get_by_role("button", name="Refresh: ask FTPS now").click()
        frame.get_by_text("ifms_ftps has ended").wait_for()
        frame.locator(".head").get_by_text("Successful").wait_for()
        assert frame.get_by_text("Payment Successful").count() == 3
        assert revisions(adapter)[0]["status"] == "SUCCESSFUL"

    looked = [
        f"{standalone.client.address}/ifms{path}"
        for path in (
            "/",
            "/instructions",
            "/instructions?tab=open&number=PI-",
            f"/instruction?number={number}",
            "/bills",
            "/register",
            "/reports",
            "/sanctions",
            "/proposals",
            "/runs",
            "/answers",
            "/failures",
        )
    ]
    _looks(chromium, standalone, looked)


def test_what_is_not_known_of_a_pi_is_settled_by_hand_and_a_text_is_given_its_meaning(
    standalone: Standalone, treasury: Treasury, chromium: Any
):
    adapter = standalone.adapter
    adapter.simulators.ask_platform("POST", "settings", {"persist_ms": 0})
    for _ in range(2):
        wage_bill(adapter, 2)
    for service in ("VA", "PA"):
        adapter.run(service)
    treasury.rule("PI", "lost_reply", times=1)  # one is lost, the other accepted
    with suppress(SweepError):
        adapter.run("PI")
    treasury.rule("PIS", "error", errorMsg="Documents are awaited from the SSU")
    for service in ("PI", "PIS"):
        with suppress(SweepError):
            adapter.run(service)
    treasury.clear()
    [pending] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE status = 'PENDING'")
    number = pending["pi_number"]
    with logged_in(chromium, standalone, width=390, height=844) as page:
        settle = f"{standalone.client.address}/ifms/settle?number={number}"
        looked = [f"{standalone.client.address}/ifms/answers", settle]
        _looks(chromium, standalone, looked)

        page.goto(f"{standalone.client.address}/ifms/instruction?number={number}")
        page.get_by_role("link", name="Settle by hand").click()
        page.get_by_role("heading", name=f"Settle {number} by hand?").wait_for()
        page.get_by_role("radio", name="Accepted").check()
        page.get_by_label("Reason").fill("the treasury was asked")
        page.get_by_label("to confirm").fill("PI-0")
        page.get_by_role("button", name="Settle by hand").click()
        page.get_by_role("alert").get_by_text("nothing was changed").wait_for()
        assert page.get_by_role("radio", name="Accepted").is_checked()
        page.get_by_label("to confirm").fill(number)
        page.get_by_role("button", name="Settle by hand").click()
        page.get_by_text("settled by hand, accepted, by admin: the treasury was asked").first.wait_for()
        [settled] = adapter.rows("SELECT * FROM ifms.payment_instruction WHERE pi_number = %s", number)
        assert (settled["status"], settled["settled_by"]) == ("INITIATED", "admin")

        page.get_by_role("link", name="Unknown answers").first.click()
        page.get_by_role("heading", name="Documents are awaited from the SSU").wait_for()
        page.get_by_text("Say what it means").click()
        page.get_by_role("radio", name="no news").check()
        page.get_by_label("Reason").fill("the treasury was asked")
        page.get_by_role("button", name="Let it count").click()
        page.get_by_text("means “no news” from now on").wait_for()
        page.locator(".band").get_by_role("button", name="Start ifms_pis for them now").click()
        page.get_by_text("ifms_pis has ended").wait_for()
        assert adapter.rows("SELECT * FROM ifms.payment_instruction WHERE unknown_answer_id IS NOT NULL") == []
        _looks(chromium, standalone, looked[:1])  # with a phrase of the site


def test_a_clerk_finds_why_a_payment_has_no_pi_and_tries_again(standalone: Standalone, chromium: Any):
    adapter = standalone.adapter
    wage_bill(adapter, 2)
    for service in ("PA", "PI"):  # nothing is allotted
        adapter.run(service)
    [payment] = adapter.rows("SELECT * FROM ifms.payment")
    number, bill = payment["payment_number"], payment["bill_numbers"][0]
    with logged_in(chromium, standalone) as page:
        page.get_by_role("link", name="Payments").first.click()
        frame = page.frame_locator("iframe")
        frame.get_by_role("heading", name="Overview").wait_for()
        frame.get_by_role("link", name="Payment instructions", exact=True).click()
        frame.locator(".tabs").get_by_role("link", name="Without a PI").click()
        frame.get_by_role("heading", name="Payments without a PI").wait_for()  # both lists ask for a bill
        frame.get_by_label("Bill number").fill(bill)
        frame.get_by_role("button", name="Search").click()
        frame.get_by_role("link", name=number).click()
        frame.get_by_role("heading", name=number).wait_for()
        frame.get_by_text("no sanction of od.samplea has").first.wait_for()
        frame.get_by_role("button", name="Try again").click()
        frame.get_by_text("ifms_pi has ended").wait_for()
        frame.get_by_text("It still has none: no sanction of od.samplea has").wait_for()
        [held] = adapter.rows("SELECT tries FROM ifms.payment")
        assert held["tries"] == payment["tries"] + 1 == 2

        adapter.run("VA")
        frame.get_by_role("button", name="Try again").click()
        frame.get_by_text("was made; it is Initiated now.").wait_for()
        [pi] = adapter.rows("SELECT * FROM ifms.payment_instruction")
        frame.get_by_role("link", name=pi["pi_number"]).first.click()
        frame.get_by_role("heading", name=pi["pi_number"]).wait_for()
        assert (pi["payment_number"], pi["status"]) == (number, "INITIATED")
        wage_bill(adapter, 1)
        adapter.run("PA")
    looked = [
        f"{standalone.client.address}/ifms{path}"
        for path in ("/overview", "/waiting", f"/waiting/payment?city=od.samplea&number={number}")
    ]
    _looks(chromium, standalone, looked)


def _looks(chromium: Any, standalone: Standalone, addresses: list[str]) -> None:
    """Each page in light and dark, on a desk and on a phone: legible, named, and no wider than the screen."""
    token = standalone.client._session.headers["Authorization"].split()[1]
    backgrounds = {}
    for scheme in ("light", "dark"):
        for width in (1280, 360):
            context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
            context.add_cookies([{"name": "_token", "value": token, "url": standalone.client.address}])
            page = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            for address in addresses:
                page.goto(address)
                seen = page.evaluate(LOOK)
                assert seen == {"faint": [], "nameless": [], "over": 0, "headings": 1}, (scheme, width, address, seen)
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip"
            backgrounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
            context.close()
            assert errors == []
    assert backgrounds["light"] != backgrounds["dark"]
