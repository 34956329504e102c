"""What somebody may have set for a database, or in a client's environment, and what nobody of ours may mind."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg

# As hostile as somebody may set them, and what a transaction of ours has all the same.
HOSTILE = {
    "datestyle": ("'German, DMY'", "ISO, MDY"),
    "timezone": ("'Asia/Kolkata'", "UTC"),
    "intervalstyle": ("sql_standard", "postgres"),
    "search_path": ("nowhere, public", "pg_catalog"),
    "bytea_output": ("escape", "hex"),
    "client_encoding": ("LATIN1", "UTF8"),
    "extra_float_digits": ("-15", "1"),
    "standard_conforming_strings": ("off", "on"),
    "array_nulls": ("off", "on"),
    "transform_null_equals": ("on", "off"),
    "quote_all_identifiers": ("on", "off"),
    "lc_numeric": ("'C.utf8'", "C"),
    "lc_monetary": ("'C.utf8'", "C"),
    "lc_time": ("'C.utf8'", "C"),
    "row_security": ("off", "on"),
    "gin_fuzzy_search_limit": ("1", "0"),
    "jit": ("on", "off"),
    "exit_on_error": ("on", "off"),
    "synchronous_commit": ("off", "on"),
    "default_transaction_isolation": ("serializable", None),
    "default_transaction_read_only": ("on", None),
    "default_transaction_deferrable": ("on", None),
    "statement_timeout": ("'150ms'", "0"),
    "lock_timeout": ("1", "0"),
    "idle_in_transaction_session_timeout": ("1", "0"),
    "lc_messages": ("'C.utf8'", None),
}


def hostile(dsn: str) -> None:
    """Set all of them for the database."""
    name = urlsplit(dsn).path.removeprefix("/")
    with psycopg.connect(dsn, autocommit=True) as owner:
        for setting, (value, _) in HOSTILE.items():
            owner.execute(f"ALTER DATABASE {name} SET {setting} = {value}".encode())


# The same for who connects to a server by its name.
ENVIRONMENT = {
    "PGOPTIONS": "-c datestyle=German -c default_transaction_read_only=on -c statement_timeout=1",
    "PGDATESTYLE": "no such style",
    "PGTZ": "no/such/zone",
    "PGGEQO": "neither",
    "PGCLIENTENCODING": "LATIN1",
    "PGSERVICE": "no-such-service",
    "PGHOSTADDR": "192.0.2.1",
    "PGTARGETSESSIONATTRS": "standby",
}
