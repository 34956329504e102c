"""Which FAILED PIs of the Java adapter may be at the treasury all the same.

It took every error for a refusal: a reply that it did not get or could not read, an HTTP error's page, a duplicate.
Each number was sent once. So only three things say that the treasury lacks it: it was never sent, for want of funds;
the SSU has rejected it; or what is kept of the reply is known to refuse a bill for its content. All others are in
doubt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ifms.ledger.database import Connection
from ifms.wire.envelope import ReplyError, Service
from ifms.wire.phrasebook import Meaning, Phrasebook

# It kept a reply's `errorMsgs` as Java shows a list of maps: [{errorCode=340, errorMsg=Wrong IFSC …}, {…}].
_LISTED = re.compile(r"\[\{(.*)\}\]", re.DOTALL)
_ENTRY = re.compile(r"errorCode=(?P<code>[^,={}]*), errorMsg=(?P<text>.*)", re.DOTALL)
_ENTRY_TURNED = re.compile(r"errorMsg=(?P<text>.*), errorCode=(?P<code>[^,={}]*)", re.DOTALL)


def mark(target: Connection, phrasebook: Phrasebook) -> None:
    """Set `doubtful` of the staged PIs (java_pi), before anything is written of them.

    Of those that only the site's own phrases clear, `java_ended` keeps which: with its phrase a PI is in doubt again.
    """
    rows = target.execute(
        """
        SELECT id, pi_type, pi_number, error FROM java_pi
        WHERE target = 'FAILED' AND route <> 'ORIGINAL REJECTED' AND error IS DISTINCT FROM 'PAYMENT_INSUFFICIENT_FUNDS'
        """
    )
    with target.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE java_doubt (id text PRIMARY KEY) ON COMMIT DROP")
        cursor.execute("CREATE TEMP TABLE java_ended (id text, phrase_id uuid) ON COMMIT DROP")
        doubtful, ended = [], []
        for key, pi_type, number, error in rows:
            if refused_for_its_content(phrasebook, pi_type, number, error):
                ended += [(key, own) for own in phrasebook.own(_sent_by(pi_type), errors_of(error), number)]
            else:
                doubtful.append(key)
        with cursor.copy("COPY java_doubt FROM STDIN") as copy:
            for key in doubtful:
                copy.write_row((key,))
        with cursor.copy("COPY java_ended FROM STDIN") as copy:
            for row in ended:
                copy.write_row(row)
        cursor.execute("UPDATE java_pi p SET doubtful = true FROM java_doubt d WHERE d.id = p.id")


def refused_for_its_content(phrasebook: Phrasebook, pi_type: str, pi_number: str | None, error: str | None) -> bool:
    """Whether what the Java adapter kept of the only reply about a PI is known to refuse it for its content."""
    if error is None:
        return False
    return phrasebook.errors(_sent_by(pi_type), errors_of(error), pi_number) is Meaning.CONTENT_ERROR


def _sent_by(pi_type: str) -> Service:
    return Service.COR if pi_type == "REVISED" else Service.PI


def errors_of(kept: str) -> Sequence[ReplyError]:
    """The errors of a reply, by what the Java adapter kept of them; a text of another form is one error, as it is."""
    listed = _LISTED.fullmatch(kept.strip())
    if listed is None:
        return [ReplyError(None, kept)]
    errors = []
    for entry in listed[1].split("}, {"):
        match = _ENTRY.fullmatch(entry) or _ENTRY_TURNED.fullmatch(entry)
        if match is None:
            return [ReplyError(None, kept)]
        code = match["code"].strip()
        errors.append(ReplyError(None if code in ("", "null") else code, match["text"].strip()))
    return errors
