"""`make extras`: which pins it holds the image's packages to."""

from __future__ import annotations

from support import official_image


def test_pins_are_lines_without_hashes():
    text = (official_image.ROOT / "requirements.txt").read_text()
    found = official_image.pins(text)
    assert all("\\" not in line and "--hash" not in line and "==" in line for line in found)
    assert len(found) == sum(line[:1].isalnum() for line in text.splitlines())
    assert sum(line.startswith("apache-airflow==") for line in found) == 1


def test_what_the_images_packages_refuse_is_held_back():
    """As `python-dateutil < 3`: each with its bound in requirements.in, which a later `make pins` keeps."""
    bounds = (official_image.ROOT / "requirements.in").read_text()
    for name in ("kombu<", "protobuf<", "python-dateutil<3", "redis<", "tenacity<", "websockets<"):
        assert f"\n{name}" in bounds
