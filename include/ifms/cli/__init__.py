"""The command line `ifms`, a module for each command; `main` puts them together."""

from ifms.cli.main import main

__all__ = ["main"]
