"""The treasury's language: ciphers, and one module of messages per service code (treasury-jit.md §1, §2)."""
