"""docs/deployment.md names what is there."""

import re

from support import compose

PAGE = (compose.REPO / "docs" / "deployment.md").read_text()


def test_the_table_has_every_service_and_no_other():
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert named == set(compose.written()["services"])


def test_every_variable_and_file_that_it_names_is_there():
    made = compose.SECRETS.read_text()
    for name in set(re.findall(r"`((?:IFMS|AIRFLOW|POSTGRES|ELASTIC)_[A-Z_]+)`", PAGE)):
        assert name in made or "${" + name in compose.FILE.read_text(), name
    for file in set(re.findall(r"`((?:tests|deploy|docs)/[a-z_/.-]+)`", PAGE)):
        assert (compose.REPO / file).exists(), file
