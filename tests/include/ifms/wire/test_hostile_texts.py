"""No text of the treasury holds up the process that looks at it: each is read in time that grows with its length."""

import subprocess
import sys

READING = r"""
from itertools import product
from ifms.wire.envelope import MAX_TEXT, ReplyError, Service
from ifms.wire.phrasebook import Meaning, Phrase, bad_beneficiaries, says_no_session, shipped, template_of

BILL = "PI-TE/2024-25/002954"
MORE = ("1234567890, ", "1" * 50 + " ", "ab ", "ab 1 ", "1a", "1\u093f", BILL + " ", " ", "7 and ", "waits 7 ")
FREE = ("{id}", "{number}", "and {bill} and", "{number} 7 {number}", "waits {id} ab")
ENDS = ("now", "{number}", "{rest}")
site = [f"It waits {one} {two} now {end}" for one, two, end in product(FREE, FREE, ENDS)]
book = shipped().with_site(Phrase(tuple(Service)[:1], text, Meaning.TRY_LATER, "a test") for text in site)
beginnings = sorted({each.text.partition("{")[0] for each in book.phrases if "{" in each.text} | {""})
for beginning, more in product(beginnings, MORE):
    text = (beginning + more * MAX_TEXT)[: MAX_TEXT - 2] + " ?"
    for service in Service:
        book.errors(service, [ReplyError(None, text)], BILL)
    template_of(text, BILL)
    says_no_session(text)
    bad_beneficiaries([ReplyError("340", ("BenefId" + more * MAX_TEXT)[:MAX_TEXT])])
print("read")
"""


def test_every_text_is_read():
    """In a process of its own, for a pattern that tries reading by reading keeps the interpreter from being stopped."""
    run = subprocess.run([sys.executable, "-c", READING], capture_output=True, text=True, timeout=90, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "read\n", "")
