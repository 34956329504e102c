"""A ledger to look at that has everything in it."""

from support.world import world

__all__ = ["world"]
