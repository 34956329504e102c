"""Codes that both simulators derive alike, because they share no state."""

from __future__ import annotations

import re
import zlib

SCHEME_CODE = "99145"
SCHEME_NAME = "Sample Karma Tatpara Abhiyan"


def ssu_id(ddo_code: str) -> str:
    """The SSU's number at the treasury, from the DDO code that the master data and the treasury both know."""
    digits = re.search(r"([0-9]+)$", ddo_code)
    return str(9000 + int(digits.group(1))) if digits else str(20000 + zlib.crc32(ddo_code.encode()) % 10000)


def ssu_office(ddo_code: str) -> str:
    """The SSU's office, likewise."""
    return f"sample_op_{ssu_id(ddo_code)}"


def grantee_name(grantee_code: str) -> str:
    """The grantee's name, likewise."""
    return f"Sample Municipality {grantee_code[-4:]}"
