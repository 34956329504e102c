"""Each filter of the list of payment instructions by an index; searches that people keep; wards in a view."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL file of the same name."""
    # Straight to psycopg, in alembic's transaction: as a script, in which % is a % and not a parameter.
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.cursor().execute(script)
