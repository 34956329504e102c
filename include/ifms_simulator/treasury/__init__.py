"""A treasury (JIT-FS) that behaves like the real one, as treasury-jit.md describes it."""

from ifms_simulator.treasury.app import create_app

__all__ = ["create_app"]
