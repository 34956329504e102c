"""A ledger to look at that has everything in it."""

from support.filled_ledger import world

__all__ = ["world"]
