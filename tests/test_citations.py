"""Whatever code, tests and docs cite is there: the page under docs/, its section, its rule, its fault, its test.

Citations are written `treasury-jit.md §2 PIS`, `digit-services.md §6, step 6`, `money-rules.md R1`, F10, and
`operations.md, "Backup and restore"`. A § alone belongs to the page that was named last before it in the same file; on a
page itself, to that page.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PARTS = ("include", "plugins", "dags", "tests", "bench", "deploy", "docs")
ENDINGS = {".py", ".sql", ".md", ".html", ".css", ".js", ".yaml", ".toml", ".sh"}
SERVICES = r"(?:VA|PA|PIS|PI|PAG|PD|FD|COR|FTPS|FTFPS)"

CITED = re.compile(
    r"(?P<page>(?<![\w*/.-])[\w/.-]*[\w-]\.md)\b"
    r"|§ ?(?P<section>\d+)"
    rf"(?P<codes>,? {SERVICES}\b(?:(?:,| and) {SERVICES}\b)*)?"
    r"(?:, steps? (?P<step>\d+)(?: to (?P<last_step>\d+))?)?"
    r"|(?P<fault>\b[FI][1-9]\d?\b(?!\.))"
    r"|(?P<rule>\bR[1-9]\d?\b)"
)
QUOTED = re.compile(r"(?:\)? §\d+)?, \"(?P<heading>[^\"]+)\"")
CHAIN = re.compile(r"[)\]` ,]*(?:§ ?\d+(?: [A-Z]{2,5}\b)?(?:,| and| to)? ?)*")
LEADER = re.compile(r"\n[ \t]*(?:#|--|\*)?[ \t]*")


def pages(root: Path) -> list[Path]:
    """Every page that may be cited."""
    return sorted([*(root / "docs").rglob("*.md"), *root.glob("*.md")])


def cited_in(root: Path) -> Iterator[Path]:
    """Every file that may cite."""
    yield from sorted(root.glob("*.md"))
    for part in PARTS:
        for path in sorted((root / part).rglob("*")):
            if path.suffix in ENDINGS and path.is_file() and path.name != Path(__file__).name:
                yield path


class Page:
    """What of a page can be cited."""

    def __init__(self, path: Path) -> None:
        text = path.read_text()
        parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
        self.sections = {found[1]: part for part in parts if (found := re.match(r"## (\d+)\.", part))}
        self.headings = {found.strip() for found in re.findall(r"^#+ (?:\w+\. )?(.+)$", text, re.MULTILINE)}
        self.headings |= {found.strip() for found in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)}
        self.rules = set(re.findall(r"^### (R\d+)\. ", text, re.MULTILINE))
        self.rows = set(re.findall(r"^\| ([FI]\d+) \|", text, re.MULTILINE))


def faults(root: Path) -> list[str]:
    """Each citation that leads nowhere."""
    known = {path: Page(path) for path in pages(root)}
    rules = {rule for page in known.values() for rule in page.rules}
    rows = {row for page in known.values() for row in page.rows}
    found = []
    for path in cited_in(root):
        where = path.relative_to(root).as_posix()
        text = LEADER.sub(" ", path.read_text())
        own = known.get(path)
        page, name, named_until = own, "no page" if own is None else path.name, 0
        for cited in CITED.finditer(text):
            if own is not None and cited["section"] and not CHAIN.fullmatch(text, named_until, cited.start()):
                page, name = own, path.name
            if cited["page"]:
                name, named_until = cited["page"], cited.end()
                fits = [each for each in known if f"/{each.as_posix()}".endswith(f"/{name.lstrip('./')}")]
                fits.sort(key=lambda each: each.parent != path.parent)  # of several README.md the nearest
                page = known[fits[0]] if fits else None
                if page is None:
                    found.append(f"{where} cites {name}, which is no page")
                    continue
                quoted = QUOTED.match(text, cited.end())
                if quoted and quoted["heading"] not in page.headings:
                    found.append(f"{where} cites {name}, {quoted['heading']!r}, which is no heading there")
            elif cited["section"]:
                if page is None:
                    found.append(f"{where} cites §{cited['section']} of {name}")
                else:
                    found += [f"{where} cites {name} {why}" for why in _not_in(page, cited)]
            elif cited["fault"] and cited["fault"] not in rows:
                found.append(f"{where} cites {cited['fault']}, which is no fault")
            elif cited["rule"] and cited["rule"] not in rules and page is not None:
                found.append(f"{where} cites {cited['rule']}, which is no rule")
    return found


def _not_in(page: Page, cited: re.Match[str]) -> Iterator[str]:
    section = page.sections.get(cited["section"])
    if section is None:
        yield f"§{cited['section']}, which is no section"
        return
    if re.search(r"^### [A-Z]{2,5} - ", section, re.MULTILINE):
        for code in re.findall(rf"{SERVICES}\b", cited["codes"] or ""):
            if not re.search(rf"^### {code} - ", section, re.MULTILINE):
                yield f"§{cited['section']} {code}, which is no heading there"
    if cited["step"]:
        for step in range(int(cited["step"]), int(cited["last_step"] or cited["step"]) + 1):
            if not re.search(rf"^{step}\. ", section, re.MULTILINE):
                yield f"§{cited['section']}, step {step}, which is no step there"


def test_every_citation_leads_somewhere():
    assert faults(REPO) == []


def test_citations_are_found():
    text = "\n".join(LEADER.sub(" ", path.read_text()) for path in cited_in(REPO))
    found = Counter(kind for cited in CITED.finditer(text) for kind, value in cited.groupdict().items() if value)
    assert found["section"] > 100
    assert found["codes"] > 10
    assert found["fault"] > 60


PAGES = {
    "treasury-jit.md": "# T\n## 1. Transport\n## 2. Services\n### PI - payment instruction\n### PIS - its status\n",
    "digit-services.md": "# D\n## 6. Payees\n1. First.\n2. Second.\n## 7. Masking\n",
    "money-rules.md": "# M\n### R1. Persist\n| # | what |\n|---|---|\n| F1 | killed |\n| I2 | sums |\n| amounts | 0 |\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "docs/contracts").mkdir(parents=True)
    for name, text in PAGES.items():
        (tmp_path / "docs" / ("" if name == "money-rules.md" else "contracts") / name).write_text(text)
    (tmp_path / "include").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "# treasury-jit.md §1, §2",
        "# treasury-jit.md §2 PI and PIS",
        "# treasury-jit.md\n# §2, PIS",
        "# digit-services.md §6, steps 1 to 2; §7",
        "# contracts/treasury-jit.md §1. A page (see §2).",
        '# money-rules.md R1, F1, I2; money-rules.md, "amounts".',
        "# WAL, 3.11, R2D2, F16C",
    ],
)
def test_what_is_there_may_be_cited(small: Path, line: str):
    (small / "include/x.py").write_text(line)
    assert faults(small) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("# other.md", "no page"),
        ("# treasury-jit.md §3", "§3, which is no section"),
        ("# treasury-jit.md §1, digit-services.md §1", "digit-services.md §1"),
        ("# treasury-jit.md §2 PD", "PD, which is no heading"),
        ("# treasury-jit.md §2 PI and PD", "PD, which is no heading"),
        ("# digit-services.md §6, step 3", "step 3"),
        ("# digit-services.md §6, steps 1 to 3", "step 3"),
        ("# a section (§1)", "§1 of no page"),
        ("# money-rules.md R2", "R2, which is no rule"),
        ("# F2: killed", "F2, which is no fault"),
        ('# money-rules.md, "names"', "no heading"),
        ("# DESIGN.md, money rule 1", "DESIGN.md, which is no page"),
    ],
)
def test_what_is_not_there_is_seen(small: Path, line: str, said: str):
    (small / "include/x.py").write_text(line)
    assert [each for each in faults(small) if said in each]


# Links, and the names on the pages that say where things are --------------------------------------------------------


NAMED = re.compile(
    r"`((?:include|plugins|dags|tests|bench|deploy|docs|ledger|services|treasury|platform|wire|reports)/[\w/.-]+"
    r"|\w+\.py)(?:::(\w+))?`"
)


def test_links_lead_to_files():
    broken = [
        f"{path.relative_to(REPO)}: {target}"
        for path in pages(REPO)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_modules_and_tests_that_the_pages_name_are_there():
    missing = []
    for path in pages(REPO):
        for name, test in NAMED.findall(path.read_text()):
            files = [base / name for base in (REPO, REPO / "include/ifms", path.parent) if (base / name).exists()]
            if not files or (test and f"def {test}(" not in files[0].read_text()):
                missing.append(f"{path.relative_to(REPO)}: {name}{test and '::'}{test}")
    assert missing == []


def test_the_constraints_that_the_rules_name_are_there():
    page = (REPO / "docs/money-rules.md").read_text()
    schema = "\n".join(path.read_text() for path in sorted((REPO / "include").rglob("*.sql")))
    looked_at = "\n".join(path.read_text() for path in (REPO / "include/ifms/ledger").glob("invariants*"))
    names = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", page.split("## 2.")[0]))
    assert len(names) > 30
    assert {name for name in names if not re.search(rf"\b{name}\b", schema + looked_at)} == set()


def test_the_rooms_are_those_of_the_table_and_import_what_it_says():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| .* \| (.*) \|$", _section("architecture.md", "3"), re.MULTILINE)
    allowed = {name: set(re.findall(r"`(\w+)`", to)) for rooms, to in rows for name in re.findall(r"`(\w+)`", rooms)}
    free = {name for rooms, to in rows if to == "everything" for name in re.findall(r"`(\w+)`", rooms)}
    ground = {"errors", "cities", "clock", "money", "pasted", "strict_json"}
    inside = REPO / "include/ifms"
    assert {path.stem for path in inside.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} == (
        allowed.keys() | {"__init__"}
    )
    strangers = []
    for path in sorted(inside.rglob("*.py")):
        room = path.relative_to(inside).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            targets = []
            if isinstance(node, ast.ImportFrom) and node.module == "ifms":
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ifms."):
                targets = [(node.module or "").split(".")[1]]
            elif isinstance(node, ast.Import):
                targets = [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ifms.")]
            strangers += [
                f"{path.relative_to(inside)} imports {target}"
                for target in targets
                if room not in free and target not in {room} | ground | allowed.get(room, set())
            ]
    assert strangers == []


def _section(name: str, number: str) -> str:
    return Page(REPO / "docs" / name).sections[number]
