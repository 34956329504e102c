"""`ifms simulate`: a treasury or a platform that behaves like the real one; not part of what production runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ifms.cli.command import Command, group

State = Annotated[Path, typer.Option(metavar="FILE", help="file that holds the state, made when missing")]
Host = Annotated[str, typer.Option(help="address to listen on")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="port to listen on")]
Latency = Annotated[float, typer.Option(help="how late every reply is, in milliseconds")]

commands = group("Run a treasury or a platform that behaves like the real one.")


@commands.command(cls=Command)
def treasury(
    state: State,
    host: Host = "127.0.0.1",
    port: Port = 8091,
    client_id: Annotated[str, typer.Option(help="the login that it takes")] = "sample-client",
    client_secret: Annotated[str, typer.Option(help="the login's secret")] = "sample-secret",  # noqa: S107  (obviously a sample)
    session_minutes: Annotated[float, typer.Option(help="how long a login holds")] = 30,
    latency_ms: Latency = 0,
    pace_seconds: Annotated[float, typer.Option(help="how long each step of a bill takes")] = 0,
    repeated_pi: Annotated[
        Literal["duplicate", "success"], typer.Option(help="what it says to a PI that it has")
    ] = "duplicate",
    unknown_bill: Annotated[
        Literal["error", "empty"], typer.Option(help="what it says about a bill that it has not")
    ] = "error",
    fd_reading: Annotated[
        Literal["on", "since"], typer.Option(help="whether FD tells of the failures on a day, or since it")
    ] = "on",
    correction_list_key: Annotated[
        Literal["either", "beneficiaryDetails", "beneficiaryDtls"],
        typer.Option(help="under which key COR lists beneficiaries"),
    ] = "either",
    https_name: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="serve TLS under this name, with a certificate of its own making"),
    ] = None,
    https_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="where clients find the certificate to trust")
    ] = None,
    allotment: Annotated[
        list[str] | None,
        typer.Option(metavar="RUPEES", help="an initial allotment of each SSU and head; repeatable"),
    ] = None,
) -> None:
    """JIT-FS with real RSA and AES."""
    from ifms_simulator import serve

    given = {"allotment_initial": allotment} if allotment else {}
    serve.treasury(
        state,
        host,
        port,
        https_name,
        https_certificate,
        client_id=client_id,
        client_secret=client_secret,
        session_minutes=session_minutes,
        latency_ms=latency_ms,
        pace_seconds=pace_seconds,
        repeated_pi=repeated_pi,
        unknown_bill=unknown_bill,
        fd_reading=fd_reading,
        correction_list_key=correction_list_key,
        **given,
    )


@commands.command(cls=Command)
def platform(
    state: State,
    host: Host = "127.0.0.1",
    port: Port = 8092,
    cities: Annotated[int, typer.Option(help="how many of the 27 sample cities")] = 27,
    bills_per_city: Annotated[int, typer.Option(help="approved bills in each")] = 3,
    seed: Annotated[int, typer.Option(help="another seed gives other ids")] = 1,
    persist_ms: Annotated[float, typer.Option(help="how late a written payment can be found, in milliseconds")] = 50,
    latency_ms: Latency = 0,
) -> None:
    """The DIGIT services, with sample cities and bills."""
    from ifms_simulator import serve

    serve.platform(
        state,
        host,
        port,
        cities=cities,
        bills_per_city=bills_per_city,
        seed=seed,
        persist_ms=persist_ms,
        latency_ms=latency_ms,
    )
