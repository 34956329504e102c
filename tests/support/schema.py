"""The ledger's whole schema as one file, for those who read it: `python -m support.schema` writes docs/schema.sql.

And docs/data-dictionary.md, which says the same with what it means (`support.dictionary`).
"""

from __future__ import annotations

import re
import secrets
import subprocess

from support.dictionary import DICTIONARY, dictionary_of
from support.environment import REPO

from ifms.ledger.migrate import migrate
from ifms_standalone.postgres import free_port, programs, throwaway

SCHEMA = REPO / "docs" / "schema.sql"
_HEAD = """\
-- The ledger's schema after the last revision, as pg_dump writes it. Made by `make schema`; change the migrations instead
-- (include/ifms/ledger/migrations), which say why.
"""


def schema_of(dsn: str) -> str:
    """The schema of a migrated ledger, without what a run of pg_dump puts into it by itself."""
    pg_dump = programs() / "pg_dump"
    command = [pg_dump, "--schema-only", "--no-owner", "--schema=ifms", "--exclude-table=ifms.alembic_version", dsn]
    dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    dump = re.sub(
        r"(?m)^(\\(un)?restrict .*|-- Dumped (from|by) .*|SET .*|SELECT pg_catalog\.set_config.*)\n", "", dump
    )
    return _HEAD + re.sub(r"\n{3,}", "\n\n", dump.replace("--\n-- PostgreSQL database dump\n--\n", "")).rstrip() + "\n"


def main() -> None:
    with throwaway(free_port(), secrets.token_hex(8)) as server:
        server.create_database("ledger")
        migrate(server.dsn("ledger"))
        SCHEMA.write_text(schema_of(server.dsn("ledger")), encoding="utf-8")
        DICTIONARY.write_text(dictionary_of(server.dsn("ledger")), encoding="utf-8")


if __name__ == "__main__":
    main()
