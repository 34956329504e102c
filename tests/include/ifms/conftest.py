"""What all tests of the adapter share."""

from hypothesis import settings

# How long one example takes says something about the machine's other work, not about the code.
settings.register_profile("ifms", deadline=None)
settings.load_profile("ifms")
