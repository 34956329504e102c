"""A DIGIT platform that behaves like the real one, as digit-services.md describes it."""

from ifms_simulator.platform.app import create_app

__all__ = ["create_app"]
