"""Every text of the pages is in the catalogue of each language, and every one of these is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from ifms.ledger.statuses import PiStatus
from ifms.queries.health import SERVICES
from ifms_airflow.api import messages, pages
from ifms_airflow.api.messages import ENGLISH, LANGUAGES, LOCALES, english, speak, t, texts, tn

HERE = Path(pages.__file__).parent
MODULES = [*HERE.glob("*.py"), HERE.parent / "app.py", HERE.parent / "access.py"]
ASKING = {"t", "tn", "english", "has"}
WIDE = {r"pis\.[\w ]+", r"act\.[\w ]+", r"conn\.[\w ]+", r"run\.[\w ]+", r"[\w ]+\.[\w ]+"}
"""What a key that is put together could be, but is not: other keys begin so, too."""
NARROW = {
    *("pis.pending", "pis.open", "act.revise", "act.repay", "run.queued", "run.running", "run.success", "run.failed"),
    *(f"act.told.{what}.{how}" for what in ("revised", "repaid") for how in ("sent", "unsent")),
    *("conn.ifms_treasury", "conn.ifms_platform", "conn.ifms_db", "conn.ifms_elasticsearch", "conn.ifms_kafka"),
}
"""What it is instead."""


def asked_for() -> tuple[set[str], set[str]]:
    """The keys that the pages name, and patterns of those that they put together."""
    named: set[str] = set()
    patterns: set[str] = set()
    for found in [*_of_templates(), *_of_modules()]:
        if re.search(r"\[\\w \]\+", found):
            patterns.add(found)
        else:
            named.add(re.sub(r"\\(.)", r"\1", found))
    return named, patterns - {r"[\w ]+"} - WIDE


def _of_templates() -> Iterator[str]:
    for path in HERE.glob("templates/*.html"):
        for call in Environment(autoescape=True).parse(path.read_text()).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in {"t", "tn"}:
                yield from _patterns(call.args[0])


def _patterns(part: Any) -> list[str]:
    if isinstance(part, nodes.Const):
        return [re.escape(str(part.value))]
    if isinstance(part, nodes.CondExpr):
        return [*_patterns(part.expr1), *_patterns(part.expr2)]
    if isinstance(part, nodes.Concat):
        made = [""]
        for each in part.nodes:
            made = [before + after for before in made for after in _patterns(each)]
        return made
    return [r"[\w ]+"]


def _of_modules() -> Iterator[str]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKING and node.args:
                yield from _of_argument(node.args[0])


def _of_argument(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [re.escape(str(node.value))]
    if isinstance(node, ast.IfExp):
        return [*_of_argument(node.body), *_of_argument(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"[\w ]+" for p in node.values)]
    return [r"[\w ]+"]


def literals() -> set[str]:
    """Every text of the modules: a key may be given to what asks for it."""
    return {
        node.value
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def entries(language: str) -> dict[str, tuple[str, ...]]:
    """The catalogue as it is written: the texts of each key, several where they depend on a number."""
    with (LOCALES / language / "LC_MESSAGES" / "ifms.po").open("rb") as file:
        found = read_po(file, locale=language, abort_invalid=True)
    return {
        (each.id if isinstance(each.id, str) else each.id[0]): (
            (each.string,) if isinstance(each.string, str) else tuple(each.string)
        )
        for each in found
        if each.id
    }


def places(text: str) -> set[str]:
    """The names of what is filled in."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_text_that_is_asked_for_is_there():
    named, patterns = asked_for()
    keys = texts(ENGLISH).keys
    assert len(named) > 300
    assert not any(pattern.startswith("[") for pattern in patterns)  # it would be any key at all
    assert (named | NARROW) - keys == set()
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, key) for key in keys)] == []
    assert {f"status.{status}" for status in PiStatus} <= keys
    assert {f"runs.service.{service}" for service in SERVICES} <= keys


def test_no_text_is_there_that_nobody_asks_for():
    named, patterns = asked_for()
    used = named | NARROW | literals()
    unused = {key for key in texts(ENGLISH).keys - used if not any(re.fullmatch(each, key) for each in patterns)}
    assert unused == set()


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != ENGLISH])
def test_a_language_has_every_text_with_the_same_places(language: str):
    ours, theirs = entries(ENGLISH), entries(language)
    assert set(ours) == set(theirs)
    assert all(text.strip() for said in (*ours.values(), *theirs.values()) for text in said)
    for key, said in theirs.items():
        assert len(said) == len(ours[key]), key  # as many forms: both count one and several
        assert set().union(*map(places, said)) == set().union(*map(places, ours[key])), key
        assert len(said) == 1 or places(said[-1]) == places(ours[key][-1]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_written_is_what_is_shown(language: str):
    """An entry that is marked fuzzy, or is no entry any more, would be left out without a word."""
    written = (LOCALES / language / "LC_MESSAGES" / "ifms.po").read_text()
    assert len(re.findall(r"^#~|^#\|", written, re.MULTILINE)) == 0
    assert len(re.findall(r"^#,.*fuzzy", written, re.MULTILINE)) == int(texts(language).draft)
    assert written.count('\nmsgid "') - 1 == len(entries(language))
    for key, said in entries(language).items():
        shown = (
            [texts(language)._translations.gettext(key)]
            if len(said) == 1
            else [texts(language)._translations.ngettext(key, key, number) for number in (1, 2)]
        )
        assert tuple(shown) == said, key


def test_no_template_says_anything_by_itself():
    for path in HERE.glob("templates/*.html"):
        bare = re.sub(r"{%.*?%}|{{.*?}}|<!--.*?-->|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
        words = [word for word in re.findall(r"[A-Za-z]{3,}", bare) if word not in {"CSV", "XLSX"}]
        assert words == [], path.name


def test_places_are_filled():
    assert [tn("pis.found", number) for number in (0, 1, 3, 123456)] == [
        "0 found",
        "1 found",
        "3 found",
        "1,23,456 found",
    ]
    assert t("pis.not_found", number="PI-1") == "There is no payment instruction PI-1."


def test_a_key_that_is_not_there_is_told():
    for ask in (lambda: t("no.such"), lambda: tn("no.such", 2), lambda: texts("or").text("no.such")):
        with pytest.raises(KeyError, match="no.such"):
            ask()


def test_what_a_language_lacks_is_said_in_english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    there = tmp_path / "or" / "LC_MESSAGES"
    there.mkdir(parents=True)
    (there / "ifms.po").write_text('msgid ""\nmsgstr "Language: or\\n"\n\nmsgid "app"\nmsgstr "\N{ORIYA LETTER A}"\n')
    english("app")  # read before
    monkeypatch.setattr(messages, "LOCALES", tmp_path)
    odia = messages.Texts("or")
    assert (odia.text("app"), odia.text("skip")) == ("\N{ORIYA LETTER A}", "Skip to content")
    assert odia.counted("pis.found", 1) == "1 found"


def test_files_are_in_english_whatever_is_spoken():
    import contextvars

    def said() -> tuple[str, str]:
        speak("or")
        return english("pis.title"), t("pis.title")

    in_english, in_odia = contextvars.copy_context().run(said)
    assert in_english == t("pis.title") == "Payment instructions"  # and nothing of it is left here
    assert in_odia != in_english
