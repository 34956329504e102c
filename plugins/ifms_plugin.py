"""The one AirflowPlugin of this package: the adapter's API and its pages at /ifms, and its listener."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from ifms_airflow import signal_aliases


class IfmsPlugin(AirflowPlugin):
    """Every component of Airflow loads it; the API server alone asks for the app, and pays for what that imports."""

    name = "ifms"
    listeners = [signal_aliases]  # noqa: RUF012  (as Airflow has it)

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]
        """The app, built when it is first asked for."""
        from ifms_airflow.api.app import create_app

        return [{"app": create_app(), "url_prefix": "/ifms", "name": "IFMS adapter"}]

    @cached_property
    def fastapi_root_middlewares(self) -> list[Any]:  # type: ignore[override]
        """The limit of wrong passwords for tokens, as FAB has it for its form; nothing with another auth manager."""
        if not conf.get("core", "auth_manager").endswith(".FabAuthManager"):
            return []
        if not conf.getboolean("fab", "auth_rate_limited"):
            return []
        from limits import parse

        from ifms_airflow.api.login_limit import LoginLimit

        limit = parse(conf.get("fab", "auth_rate_limit"))
        bounds = {"tries": limit.amount, "seconds": limit.get_expiry()}
        return [{"middleware": LoginLimit, "name": "IFMS login limit", "kwargs": bounds}]

    @cached_property
    def external_views(self) -> list[Any]:  # type: ignore[override]
        """The pages' places in Airflow's navigation; below the path that Airflow itself is served at."""
        root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/") + "/ifms"
        icons = {"icon": f"{root}/static/rupee.svg", "icon_dark_mode": f"{root}/static/rupee-dark.svg"}
        return [
            {
                "name": name,
                "href": f"{root}/{page}",
                "destination": "nav",
                "url_route": f"ifms-{page}",
                "nav_top_level": page == "overview",
                **icons,
            }
            for page, name in (
                ("overview", "Payments"),
                ("instructions", "Payment instructions"),
                ("bills", "Choose bills"),
                ("register", "Fund allocation register"),
                ("reports", "IFMS reports"),
                ("runs", "IFMS runs"),
                ("answers", "Unknown treasury answers"),
                ("failures", "Failures and other transfers"),
            )
        ]
