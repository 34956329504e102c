"""Which limits are missed, as the tables say: the last column of each is the verdict on its row."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

KEPT = ("", "ok", "kept")
"""What a verdict may be when nothing is missed; a row without a limit has none."""


def missed(table: Table) -> list[str]:
    """A line for each row that is over its limit: what it is, and all that its table says of it."""
    headings = [_plain(column.header) for column in table.columns]
    rows = zip(*([_plain(cell) for cell in column.cells] for column in table.columns), strict=True)
    return [
        f"{_plain(table.title)}: {row[0]} ({', '.join(_named(headings[1:-1], list(row[1:-1])))})"
        for row in rows
        if row[-1] not in KEPT
    ]


def print_missed(console: Console, lines: list[str]) -> None:
    """A line for each limit that is missed, or that none is."""
    if not lines:
        console.print("All limits are kept.", style="green", highlight=False)
    for line in lines:
        console.print(f"missed: {line}", style="red", markup=False, highlight=False, soft_wrap=True)


def _named(headings: list[str], cells: list[str]) -> list[str]:
    return [f"{heading} {cell}" for heading, cell in zip(headings, cells, strict=True) if cell]


def _plain(text: object) -> str:
    return Text.from_markup(str(text or "")).plain
