"""What people wait for, against what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


def test_the_median_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(REPO))
    from bench.reading import Timing

    assert Timing("a page", (0.5, 0.1, 0.09), 0.1).kept
    assert not Timing("a page", (0.11, 0.12, 0.01), 0.1).kept
