"""How a command reads its arguments: what typer leaves open, so that no option is taken for another one's value."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperOption

ANYWHERE = "the database, as postgresql://user:password@host:port/name; without it, what PGHOST, PGDATABASE … say"

Dsn = Annotated[str, typer.Option(metavar="ADDRESS", help=ANYWHERE, show_default=False)]
"""Where the ledger is, for a command that may be told by libpq's own variables."""

OwnerDsn = Annotated[str, typer.Option(metavar="ADDRESS", help="the ledger, as its owner: as for migrate")]
"""Where the ledger is, for a command that only its owner may run."""

Number = Annotated[str, typer.Argument(metavar="PI-NUMBER", help="the payment instruction's number")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="how it is known; it is kept")]

_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")


class Command(TyperCommand):
    """A command whose options each have a value of their own; a forgotten one does not swallow the next option."""

    several: ClassVar[frozenset[str]] = frozenset()
    """The options that take more than one value after them, as in `--format csv xlsx`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (typer keeps its class to itself)
        """Read the arguments. Raises typer.BadParameter for an option that another one follows."""
        valued = {
            name
            for option in self.params
            if isinstance(option, TyperOption) and not option.is_flag
            for name in option.opts
        }
        left, read = list(args), []
        while left:
            word = left.pop(0)
            read.append(word)
            if word == "--":
                break
            if word not in valued:
                continue
            if not left or _is_option(left[0]):
                raise typer.BadParameter("it needs a value after it", ctx=ctx, param_hint=word)
            read.append(left.pop(0))
            while word in self.several and left and not _is_option(left[0]):
                read += [word, left.pop(0)]
        return super().parse_args(ctx, read + left)


def _is_option(word: str) -> bool:
    """Whether it is meant as an option: not `-` (stdin), a negative number, or a sentence that begins with a dash."""
    return word.startswith("-") and word != "-" and " " not in word and not _NEGATIVE.fullmatch(word)


def group(help_: str | None) -> typer.Typer:
    """Make a command that has commands of its own."""
    return typer.Typer(
        help=help_,
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
