"""What the walk through the pages needs."""

from support.browser import chromium, standalone

__all__ = ["chromium", "standalone"]
