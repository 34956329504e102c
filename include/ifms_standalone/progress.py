"""What the console shows while things happen: one line per step, with what it is doing and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


@dataclass
class Step:
    """A line of what is shown; whoever works on it says in `note` how far it is, and in `failed` that it went wrong."""

    label: str
    note: str = ""
    failed: bool = False
    ended: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self.ended or time.monotonic()) - self.started


class Progress:
    """Steps, one after the other: live on a terminal, one line per finished step elsewhere (a log, a CI run)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: list[Step] = []
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """Show a step while the block runs; an exception marks it as failed."""
        step = Step(label)
        self._steps.append(step)
        if not self._console.is_terminal:
            self._console.print(f"  {label} …", markup=False, highlight=False)
        try:
            yield step
        except BaseException:
            step.failed = True
            raise
        finally:
            step.ended = time.monotonic()
            if not self._console.is_terminal:
                sign = "✗" if step.failed else "✓"
                self._console.print(
                    f"{sign} {label}, {step.seconds:.1f} s: {step.note or 'done'}",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )

    def _render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in self._steps:
            sign: RenderableType = self._spinner
            if step.ended is not None:
                sign = Text("✗", style="red") if step.failed else Text("✓", style="green")
            seconds = Text(f"{step.seconds:.1f} s", style="dim")
            table.add_row(sign, Text(step.label), seconds, Text(step.note, style="dim"))
        return table
