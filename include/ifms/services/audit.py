"""ifms_audit: whether the ledger's records are as they were written, and a signed note of where their chains end.

The note, an anchor, is kept outside the database: who makes a chain anew, with the owner's password, can't make the
anchors anew, for they are signed under the key that signs payment instructions. An anchor is a JSON text:

    {"version": 1, "at": "2026-11-28T18:30:00+00:00",
     "chains": {"od.samplea": {"number": 42, "hash": "...", "linked_at": "..."}, ...}, "signature": "..."}

hash and signature in hex; the chain of what is of no single city has the name "". The signature is over the same text
without it, keys in order and no blanks, behind the words of `_MEANT`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ifms import clock
from ifms.errors import BadInputError, SignatureError
from ifms.ledger.audit import CHAIN, Head, find_changed, heads, not_anchored
from ifms.ledger.database import Connection
from ifms.ledger.invariants import Finding
from ifms.signing import Signer
from ifms.sweep.run import Sweep

PREFIX = "ifms_anchor_"
_MEANT = b"ifms audit anchor\0"
_VERSION = 1


@dataclass(frozen=True)
class Anchor:
    """Where the chains ended at an instant."""

    at: datetime
    heads: Sequence[Head]

    @property
    def name(self) -> str:
        """The name of its file; by name they are in order of time."""
        return f"{PREFIX}{self.at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.json"


def audit(sweep: Sweep, signer: Signer, earlier: Iterable[str]) -> Anchor:
    """Verify the records, and that the chains still have what `earlier` anchors say.

    What is wrong are the sweep's problems. Returns the anchor of now, of the same state of all rows that was verified.
    """
    known = []
    for text in earlier:
        try:
            known.append(read_anchor(text, signer))
        except (BadInputError, SignatureError) as error:
            sweep.add_problem(f"an anchor can't be believed: {error}")
    found, anchor = sweep.db.read_snapshot(partial(_looked_at, known=known))
    sweep.counts["rules"] = len(CHAIN) + 1
    sweep.counts["anchors"] = len(known)
    sweep.counts["chains"] = len(anchor.heads)
    sweep.counts["links"] = sum(head.number for head in anchor.heads)
    for finding in found:
        sweep.add_finding(finding)
    return anchor


def verify(connection: Connection, anchors: Iterable[Anchor] = ()) -> list[Finding]:
    """What of the records is not as it was written, or not as it was anchored."""
    known = {(head.chain, head.number, head.hash): head for anchor in anchors for head in anchor.heads}
    return [*find_changed(connection), *filter(None, [not_anchored(connection, known.values())])]


def _looked_at(connection: Connection, known: Sequence[Anchor]) -> tuple[list[Finding], Anchor]:
    return verify(connection, known), anchor_of(connection)


def anchor_of(connection: Connection) -> Anchor:
    """Where the chains end now."""
    return Anchor(clock.now(), heads(connection))


def write_anchor(anchor: Anchor, signer: Signer) -> str:
    """The anchor as a signed text."""
    chains = {
        head.chain: {"number": head.number, "hash": head.hash.hex(), "linked_at": _utc(head.linked_at)}
        for head in anchor.heads
    }
    content = {"version": _VERSION, "at": _utc(anchor.at), "chains": chains}
    return json.dumps(content | {"signature": signer.sign(_signed(content)).hex()}, indent=1) + "\n"


def read_anchor(text: str, signer: Signer) -> Anchor:
    """The anchor that a text is.

    Raises SignatureError when it is not as it was signed, under a key that is at hand, and BadInputError for another
    text.
    """
    try:
        content = json.loads(text)
        signature = bytes.fromhex(content.pop("signature"))
        signer.check(_signed(content), signature)
        return Anchor(
            datetime.fromisoformat(content["at"]),
            [
                Head(chain, head["number"], bytes.fromhex(head["hash"]), datetime.fromisoformat(head["linked_at"]))
                for chain, head in content["chains"].items()
            ],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInputError(
            "it is no anchor of the ledger's records (a JSON text with chains and a signature)"
        ) from None


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def _signed(content: object) -> bytes:
    return _MEANT + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
