"""Looking for secrets in what was written: raw, in base64 at each alignment, and in hexadecimal digits."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping


def forms(secret: bytes) -> Iterator[bytes]:
    """Everything that a secret looks like when it was encoded by itself, or as a part of something longer."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            text = encode(bytes(before) + secret)
            whole = (before + len(secret)) * 8 // 6  # digits that nothing behind the secret changes
            yield text[-(-before * 8 // 6) : whole]


def found(secrets: Mapping[str, Iterable[bytes]], written: Mapping[str, bytes]) -> set[str]:
    """Which kind of secret is where; never the secret itself, which would be in the test's own output then."""
    return {
        f"{kind} in {where}"
        for kind, values in secrets.items()
        for value in values
        for form in forms(value)
        for where, text in written.items()
        if form in text
    }
