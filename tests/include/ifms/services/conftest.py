"""A paid bill, and what comes back of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.adapter import Adapter
from support.failed import fail, failing, mend


@pytest.fixture
def paid(adapter: Adapter) -> Adapter:
    """Nothing has failed yet; a module's mark says after what it begins (`support.failed.a_paid_bill`)."""
    return adapter


@pytest.fixture
def failed(paid: Adapter) -> Adapter:
    """The first of its payees has failed."""
    fail(paid, 1)
    paid.run("FD")
    return paid


@pytest.fixture
def three(paid: Adapter) -> Callable[..., list[str]]:
    """All three payees have failed: `three(mended=2)`: their numbers, so many of them with another account now."""

    def fail_all(mended: int = 0) -> list[str]:
        fail(paid, "all")
        paid.run("FD")
        numbers = failing(paid)
        if mended:
            mend(paid, numbers[:mended])
        return numbers

    return fail_all
