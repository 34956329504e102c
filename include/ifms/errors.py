"""Every error this package raises by itself; what a caller may catch, and what a retry policy may name.

An error's text says what happened, to which thing, and what to do. It never holds a secret or a whole account number.
"""

from __future__ import annotations

from typing import Self


class IfmsError(Exception):
    """The base of all errors below."""


class ConfigurationError(IfmsError):
    """A connection, key or parameter is missing or wrong: nothing was sent; mend it and run again."""


class HostNotAllowedError(ConfigurationError):
    """A connection leads to a host that the environment has not named: nothing was sent; the text names the setting."""


class VaultError(ConfigurationError):
    """A key that Vault has wrapped can't be unwrapped; the text names the key's field, and never a value."""


class BadInputError(IfmsError):
    """A value from outside (an amount, an account, an id, a form's field) can't be taken; it is named in the text."""


class NotAllowedError(IfmsError):
    """Somebody has started something for a city where they may not; nothing was done. The text says who and what."""


class SecondPersonError(IfmsError):
    """An act needs a proposal that another person has approved, and there is none that fits; nothing was done."""


class SealError(IfmsError):
    """A sealed record can't be opened: it was changed, or sealed under a key that is not at hand."""


class SignatureError(IfmsError):
    """A payment instruction is not as it was signed, or by a key that is not at hand: it is not sent."""


# The treasury ---------------------------------------------------------------------------------------------------------


class TreasuryError(IfmsError):
    """The treasury, or the way to it, failed us as a whole (one call's failure is an outcome, not an exception)."""


class TreasuryUnreachableError(TreasuryError):
    """No call got through: the network, TLS, or the treasury's server. Worth a retry later."""


class TreasuryStoppedError(TreasuryUnreachableError):
    """No login at the treasury: the sweep was told to stop before its turn came."""


class TreasuryLoginError(TreasuryError):
    """The treasury refused the client id, the secret or the key. Not worth a retry before somebody has looked."""


class WireError(TreasuryError):
    """A reply that is not what the contract says: not base64, not decryptable, not JSON, or a field missing."""


class UnknownTextError(WireError):
    """A reply holds a text that no phrase gives a meaning: it changes nothing until a person has said what it means."""

    def __init__(self, message: str, texts: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.texts = texts


# The DIGIT platform ---------------------------------------------------------------------------------------------------


class PlatformError(IfmsError):
    """A DIGIT service failed or refused."""


class PlatformUnavailableError(PlatformError):
    """A DIGIT service could not be reached, timed out, or answered 5xx. Worth a retry."""


class PlatformRefusedError(PlatformError):
    """A DIGIT service answered with errors; `codes` are DIGIT's."""

    def __init__(self, message: str, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.codes = codes


class PaymentExistsError(PlatformRefusedError):
    """A bill of the payment has a payment already; look that one up instead of creating another."""


class PaymentNotYetPersistedError(PlatformRefusedError):
    """The platform has announced the payment but not stored it yet; the same update will pass a little later."""


class PlatformReplyError(PlatformError):
    """A DIGIT service's reply lacks something that the contract promises."""


# The call log's other home --------------------------------------------------------------------------------------------


class CallStoreError(IfmsError):
    """Elasticsearch can't be reached, or takes nothing now. Nothing is lost: the calls stay in the ledger."""


class CallStoreUnsuitedError(CallStoreError):
    """What is there is no Elasticsearch, or none that its client here can talk to: somebody must change something."""


# The ledger -----------------------------------------------------------------------------------------------------------


class LedgerError(IfmsError):
    """The database refused a change; the text says which rule."""


class InsufficientFundsError(LedgerError):
    """No sanction has enough available for the amount."""


class ClaimLostError(LedgerError):
    """Another copy of this task has taken the row over; what this copy learned changes nothing."""


class ConflictError(LedgerError):
    """The same key with other content: the first one stays untouched."""


class LedgerDataError(LedgerError):
    """The database can't hold a value, or a sum that it made with one; the text says of which kind, never which."""


class LedgerMovedError(LedgerError):
    """The ledger is not where it was: restored, copied, or on another server. Nothing is paid until somebody looked."""


class CorrectionRefusedError(IfmsError):
    """A failed payment can't be corrected now; the text says why, and what to do instead."""


class AdoptionRefusedError(IfmsError):
    """A bill of the treasury can't be taken into the ledger; the text says what disagrees or comes first."""


class ImportLeftOverError(IfmsError):
    """Something of another adapter's database was not taken in; the rest was, and what to do has been said."""


# Reports --------------------------------------------------------------------------------------------------------------


class ReportError(IfmsError):
    """A report could not be made; no file of it was left behind."""


class NothingToReportError(ReportError):
    """A report has no rows for what was asked: no file was written, which could be taken for a result."""


class ReportTargetError(ReportError):
    """The place where reports go can't be written to; the text says which and why."""

    @classmethod
    def of(cls, where: object, error: Exception) -> Self:
        """What `error`, of the file system or of an object storage, says about the place."""
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        return cls(f"reports can't be written to {where}: {why}; free it, or name another place")


class ReportSourceError(ReportError):
    """The place where made reports are kept can't be read; the text says what kind of error it was."""


# A sweep, as a whole --------------------------------------------------------------------------------------------------


class SweepError(IfmsError):
    """A sweep ended with something that a person should see; what could be done was done and is committed."""


class SweepUnreachableError(SweepError):
    """The sweep could not reach the treasury (or the platform) at all. Worth a retry."""


class SweepStoppedError(SweepError):
    """The sweep was told to stop (SIGTERM): what was under way is settled, the rest is still due."""


class SweepNeedsAttentionError(SweepError):
    """A reply was not understood, or something was set aside; the rest was done, and a retry would not mend it."""
