"""Every page for everybody: axe-core finds no violation of WCAG 2.2 AA, all works by keyboard and at 200 % zoom."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from support.api import token_of
from support.browser import language

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("browser"),
    pytest.mark.simulators(platform={"cities": 2, "bills_per_city": 0}),
]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
ANSWERED = {"/ifms/bills": {"#numbers": "WB/2026-27/000001"}, "/ifms/connections": {}}
"""Pages that come as the answer to a form: where it is, and what is filled in."""

# What the Tab key can reach, and where the focus is. A group of radio buttons is one stop, a closed <details> hides.
REACHABLE = """
() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter(e => !e.disabled && e.type !== 'hidden' && e.checkVisibility({visibilityProperty: true}))
  .filter(e => e.type !== 'radio' || e.checked || ![...document.getElementsByName(e.name)].some(o => o.checked))
  .filter((e, i, all) => e.type !== 'radio' || all.findIndex(o => o.name === e.name && o.form === e.form) === i)
  .map((e, i) => { e.dataset.stop = i; return i; }).length
"""
FOCUSED = """
() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {
    stop: e.dataset.stop ?? null,
    what: e.outerHTML.slice(0, 160),
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}
"""
OVER = """
() => ({
  over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  cut: [...document.querySelectorAll('h1, h2, p, label, legend, button, dt, dd, th, a')]
    .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'hidden')
    .map(e => e.outerHTML.slice(0, 120)),
})
"""


@pytest.fixture
def served(airflow_app: Any, airflow_connections: Any) -> Iterator[str]:
    """Airflow's app behind a real port; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(airflow_app, port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
        assert thread.is_alive()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


def _page(chromium: Any, served: str, airflow_app: Any, spoken: str = "en", **options: Any) -> Any:
    context = chromium.new_context(**options)
    language(context, served, "sample-admin", spoken)
    token = token_of(airflow_app, "sample-admin", "admin")
    context.add_cookies([{"name": "_token", "value": token, "url": served}])
    return context.new_page()


@pytest.mark.parametrize(("scheme", "spoken"), [("light", "en"), ("dark", "or")])
def test_axe_finds_nothing(
    chromium: Any, served: str, airflow_app: Any, addresses: list[str], scheme: str, spoken: str
):
    axe = Axe()
    found: list[str] = []

    def look(page: Any) -> None:
        for violation in axe.run(page, options=RULES).response["violations"]:
            found.extend(
                f"{violation['id']} {width} {page.url} {node['html'][:200]} {node['failureSummary'][:300]}"
                for node in violation["nodes"][:3]
            )

    for width in (1280, 390):
        page = _page(
            chromium, served, airflow_app, spoken, viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        for address in addresses:
            answer = page.goto(served + address)
            assert "text/html" in answer.headers["content-type"], address
            if address != "/ifms/docs":  # that one is for programmers
                assert page.locator("html").get_attribute("lang") == spoken, address
            look(page)
        for address, fields in ANSWERED.items():
            page.goto(served + address)
            for field, value in fields.items():
                page.fill(field, value)
            with page.expect_navigation():
                page.locator("main form .button").first.click()
            assert page.locator("h1").count() == 1, address
            look(page)
        page.goto(served + next(address for address in addresses if "/instruction?number=" in address))
        with page.expect_navigation():
            page.locator("form[action$='/call'] button").first.click()
        assert page.locator("#request").count() == 1
        look(page)
        page.goto(f"{served}/ifms/instructions?tab=open&ward=W{width}")
        page.locator("details.save summary").click()
        page.fill("#save-name", f"Sample search {width}")
        with page.expect_navigation():
            page.locator("details.save button").click()
        assert page.locator(".saved a[aria-current]").count() == 1
        look(page)
        page.context.close()
    assert found == [], "\n".join(found)


def test_all_is_reached_and_seen_by_keyboard(chromium: Any, served: str, airflow_app: Any, addresses: list[str]):
    page = _page(chromium, served, airflow_app, viewport={"width": 1280, "height": 800})
    for address in addresses:
        page.goto(served + address)
        stops = page.evaluate(REACHABLE)
        assert stops > 0, address
        focused: list[dict[str, Any]] = []
        while {each["stop"] for each in focused} < {str(stop) for stop in range(stops)} and len(focused) < 5 * stops:
            page.keyboard.press("Tab")  # a field for a date is several stops in one
            focused.append(page.evaluate(FOCUSED))
        assert [each["what"] for each in focused if not (each["seen"] and each["inside"])] == [], address
        order = [int(each["stop"]) for each in focused]
        assert order == sorted(order), address  # as they are read, and none leads astray
        assert set(order) == set(range(stops)), address
    page.context.close()


@pytest.mark.parametrize(
    ("width", "spoken"), [(640, "en"), (320, "en"), (320, "or")], ids=["200 %", "400 %", "400 % in Odia"]
)
def test_a_page_is_whole_at_zoom(
    chromium: Any, served: str, airflow_app: Any, addresses: list[str], width: int, spoken: str
):
    """A window of 1280 pixels at this zoom has so many of its own."""
    page = _page(
        chromium,
        served,
        airflow_app,
        spoken,
        viewport={"width": width, "height": 512},
        device_scale_factor=1280 / width,
    )
    for address in addresses:
        page.goto(served + address)
        assert page.evaluate(OVER) == {"over": 0, "cut": []}, address
    page.context.close()
