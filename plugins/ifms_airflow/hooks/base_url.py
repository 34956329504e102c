"""The base URL of a connection whose port may stand in the host field, in the port field, or in both."""

from __future__ import annotations

from urllib.parse import urlsplit

from ifms.errors import ConfigurationError


def base_url(host: str | None, port: int | None) -> str:
    """Join `port` to `host`, an address like https://host, unless it names that port already.

    Without a port, None and 0 alike (Airflow's UI turns an empty field into 0), and for a host that is no address, it
    is `host`, which the configuration then judges. Raises ConfigurationError when the two name different ports.
    """
    text = (host or "").strip()
    if not port:
        return text
    try:
        url = urlsplit(text)
        named = url.port
    except ValueError:
        return text
    if named is not None and named != port:
        raise ConfigurationError(
            f"the base URL names port {named} and the port field {port}: give the right one in both, or 0 in the field"
        )
    if named is not None or not url.hostname:
        return text
    return url._replace(netloc=f"{url.netloc}:{port}").geturl()
