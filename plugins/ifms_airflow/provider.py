"""What Airflow is told about this package: its connection types, and the forms in which they are edited.

Airflow calls `get_provider_info` on every start of every component, so this module imports nothing heavy.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
Fields = dict[str, dict[str, Any]]

# Airflow's UI tests a connection that was saved without a port with port 0, and its API takes that for another
# destination and answers "Bad Request". A saved 0 is the same 0: so the form asks for a number.
_PORT = "Port (0: as in the base URL)"
_PORT_HINT = "0, or the port; Airflow's Test button refuses an empty one"


def get_provider_info() -> dict[str, Any]:
    """Describe the package in the shape of Airflow's provider_info.schema.json and provider.yaml.schema.json."""
    return {
        "package-name": "mukta-ifms-adapter",
        "name": "MUKTA IFMS",
        "description": "Payments of MUKTASoft through the treasury's Just-in-Time Fund System (JIT-FS) of Odisha.",
        "connection-types": [
            {
                "connection-type": "ifms_treasury",
                "hook-name": "IFMS treasury (JIT)",
                "hook-class-name": "ifms_airflow.hooks.treasury.TreasuryHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "host": "Base URL",
                        "port": _PORT,
                        "login": "Client id",
                        "password": "Client secret",
                    },
                    "placeholders": {"host": "https://treasury.example", "port": _PORT_HINT},
                },
                "conn-fields": _TREASURY_FIELDS,
            },
            {
                "connection-type": "ifms_platform",
                "hook-name": "IFMS platform (DIGIT)",
                "hook-class-name": "ifms_airflow.hooks.platform.PlatformHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "password"],
                    "relabeling": {"host": "Base URL", "port": _PORT},
                    "placeholders": {"host": "https://digit.example", "port": _PORT_HINT},
                },
                "conn-fields": _PLATFORM_FIELDS,
            },
        ],
    }


def _field(label: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


def _text(default: str | None = None, **more: str | list[str]) -> Schema:
    return {"type": ["string", "null"], **({} if default is None else {"default": default}), **more}


def _number(default: int, minimum: float, maximum: int, kind: str = "integer") -> Schema:
    return {"type": [kind, "null"], "default": default, "minimum": minimum, "maximum": maximum}


_WEBSERVICES = "/webservices/jitfs/v1.0"

_TREASURY_FIELDS: Fields = {
    "public_key": _field(
        "Treasury's public key",
        "RSA, 2048 bits or more: PEM, base64 of the DER, or a certificate.",
        _text(format="multiline"),
    ),
    "log_key": _field(
        "Call log key", "32 random bytes in base64; seals the secrets in the log of calls.", _text(format="password")
    ),
    "old_log_keys": _field(
        "Earlier call log keys",
        "Separated by blanks; they still open the records of their time.",
        _text(format="password"),
    ),
    "signing_key": _field(
        "Signing key",
        "32 other random bytes in base64; signs what payment instructions pay. One that it did not sign is not sent.",
        _text(format="password"),
    ),
    "old_signing_keys": _field(
        "Earlier signing keys",
        "Separated by blanks; payment instructions of their time are checked by them.",
        _text(format="password"),
    ),
    "legacy_log_secret": _field(
        "Old call log secret",
        "ifms.request.enc.secret of the Java adapter, to read the records that it wrote.",
        _text(format="password"),
    ),
    "ext_app_name": _field("Application name", "extAppName in PD and FD requests.", _text("MUKTA")),
    "department_code": _field("Department code", "jitCorBillDeptCode in COR and FTPS requests.", _text("MUKTA")),
    "purpose": _field("Purpose", "purpose in PI requests; no special symbols.", _text("MUKTA")),
    "correction_list_key": _field(
        "Key of a correction's list",
        "What COR requests call the list of beneficiaries: the treasury's sample says beneficiaryDetails, the Java "
        "adapter sent beneficiaryDtls.",
        _text("beneficiaryDetails", enum=["beneficiaryDetails", "beneficiaryDtls"]),
    ),
    "timeout_seconds": _field(
        "Deadline of a call", "Seconds from connecting to the last byte of the reply.", _number(30, 0.1, 300, "number")
    ),
    "connect_timeout_seconds": _field(
        "Deadline of connecting", "Seconds; after that nothing was sent.", _number(5, 0.1, 60, "number")
    ),
    "max_concurrency": _field("Calls at a time", "Of one sweep.", _number(16, 1, 256)),
    "calls_per_second": _field(
        "Calls a second",
        "Of all sweeps together, on all workers: what the treasury takes of this client id. Empty: no limit.",
        {"type": ["number", "null"], "minimum": 0.1, "maximum": 1000},
    ),
    "absence_hours": _field(
        "Hours until a refused PI is given up",
        "A PI that may have arrived and was refused FAILS once its status service has said twice, so many hours apart, "
        "that it does not know it.",
        _number(24, 1, 720, "number"),
    ),
    "use_earlier_years": _field(
        "Pay from earlier years' sanctions",
        "After those of the payment's own financial year. Off: what is left on them is not used.",
        {"type": ["boolean", "null"], "default": False},
    ),
    "correction_days": _field(
        "Days for a correction", "From the day on which a payment has failed.", _number(90, 1, 3650)
    ),
    "correction_last_day": _field(
        "Last day of a correction",
        "As month-day, after the end of the financial year in which the payment has failed, if that is earlier.",
        _text("04-30", pattern=r"^(\d\d-\d\d)?$"),
    ),
    "max_reply_bytes": _field(
        "Largest reply", "Bytes; a longer one is not read.", _number(8 * 2**20, 1024, 256 * 2**20)
    ),
    "ca_bundle": _field(
        "CA bundle", "A PEM file on the workers, if the treasury's certificate needs its own.", _text()
    ),
    "authenticate_path": _field("Path of the login", "Below the base URL.", _text(f"{_WEBSERVICES}/authenticate")),
    "service_path": _field(
        "Path of the services", "Below the base URL.", _text(f"{_WEBSERVICES}/get-jit-service-data")
    ),
}

_PLATFORM_FIELDS: Fields = {
    "state_tenant": _field("State tenant", "The tenant above all cities.", _text("od")),
    "system_user": _field(
        "System user", "Who calls; must hold a role that sees bank accounts unmasked.", _text("IFMS_CRONJOB")
    ),
    "auth_token": _field("Auth token", "When calls go through the gateway.", _text(format="password")),
    "services": _field(
        "Other addresses",
        "JSON: a service's name to its whole address, its host or its path, where it isn't the base URL's; "
        'for example {"bill_search": "http://expense:8080"}.',
        {"type": ["object", "null"]},
    ),
    "timeout_seconds": _field(
        "Deadline of a call", "Seconds from connecting to the last byte of the reply.", _number(30, 0.1, 600, "number")
    ),
    "bill_page_size": _field(
        "Bills per page", "Above 10 the platform leaves workflow states out, and bills wait.", _number(10, 1, 200)
    ),
    "locale": _field("Locale", "Behind the | of RequestInfo.msgId, and of the SMS.", _text("en_IN")),
    "city_locales": _field(
        "Locales of cities",
        'JSON: a city\'s tenant to the locale of its SMS, where it is another; for example {"od.samplea": "or_IN"}.',
        {"type": ["object", "null"]},
    ),
    "pi_id_name": _field("Id name of a PI", "As idgen knows it.", _text("ifms.pi.reference.number")),
    "correction_id_name": _field("Id name of a revised PI", "As idgen knows it.", _text("ifms.repi.reference.number")),
    "beneficiary_id_name": _field(
        "Id name of a beneficiary", "As idgen knows it.", _text("ifms.benef.reference.number")
    ),
}
