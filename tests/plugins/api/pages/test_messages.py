"""Every text of the pages is in one place, and every one of that place is used."""

from __future__ import annotations

import re
from pathlib import Path

from ifms.ledger.statuses import PiStatus
from ifms.queries.health import SERVICES
from ifms_airflow.api import pages
from ifms_airflow.api.pages.messages import TEXTS, t

HERE = Path(pages.__file__).parent


def test_every_text_that_is_asked_for_is_there():
    asked = set()
    for path in (*HERE.glob("*.py"), *HERE.glob("templates/*.html")):
        asked |= set(re.findall(r"\bt\(\s*['\"]([a-z_][\w. ]*)['\"]\s*[,)]", path.read_text()))
    assert asked - set(TEXTS) == set()
    assert {f"status.{status}" for status in PiStatus} <= set(TEXTS)
    assert {f"runs.service.{service}" for service in SERVICES} <= set(TEXTS)
    assert {f"run.{state}" for state in ("queued", "running", "success", "failed")} <= set(TEXTS)


def test_no_template_says_anything_by_itself():
    for path in HERE.glob("templates/*.html"):
        bare = re.sub(r"{%.*?%}|{{.*?}}|<!--.*?-->|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
        words = [word for word in re.findall(r"[A-Za-z]{3,}", bare) if word not in {"CSV", "XLSX"}]
        assert words == [], path.name


def test_places_are_filled():
    assert t("pis.found", n=3) == "3 found"
