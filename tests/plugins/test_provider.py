"""The connection types reach Airflow, and the form of the UI."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

from ifms_airflow.provider import get_provider_info

pytestmark = pytest.mark.airflow

TYPES = {kind["connection-type"]: kind for kind in get_provider_info()["connection-types"]}


@pytest.mark.parametrize("schema", ["provider_info.schema.json", "provider.yaml.schema.json"])
def test_info_keeps_to_airflows_schemas(schema: str) -> None:
    import airflow

    rules = json.loads(Path(airflow.__file__).with_name(schema).read_text())
    if schema == "provider.yaml.schema.json":  # the strict one, of which only the connection types concern us
        rules = {"$schema": rules["$schema"], **rules["properties"]["connection-types"]}
        jsonschema.validate(get_provider_info()["connection-types"], rules)
    else:
        jsonschema.validate(get_provider_info(), rules)


def test_entry_point_names_this_function() -> None:
    (found,) = (each for each in entry_points(group="apache_airflow_provider") if "ifms" in each.value)
    assert found.load() is get_provider_info
    assert found.dist is not None
    assert found.dist.name == get_provider_info()["package-name"]


def test_hook_classes_exist_and_agree() -> None:
    for name, kind in TYPES.items():
        module, _, attribute = kind["hook-class-name"].rpartition(".")
        hook = getattr(import_module(module), attribute)
        assert hook.conn_type == name
        assert hook.hook_name == kind["hook-name"]


def test_form_fields_are_those_of_the_configurations() -> None:
    from dataclasses import fields

    from ifms.platform.config import PlatformConfig
    from ifms.treasury.config import TreasuryConfig

    standard = {"base_url", "client_id", "client_secret"}
    for name, config in (("ifms_platform", PlatformConfig), ("ifms_treasury", TreasuryConfig)):
        assert set(TYPES[name]["conn-fields"]) == {field.name for field in fields(config)} - standard


def test_the_ui_is_told_of_both_types() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    told = {meta.connection_type: meta for meta in HookMetaService.hook_meta_data()}
    for name, kind in TYPES.items():
        meta = told[name]
        assert meta.hook_name == kind["hook-name"]
        assert meta.hook_class_name == kind["hook-class-name"]
        assert meta.extra_fields is not None
        assert set(meta.extra_fields) == set(kind["conn-fields"])
        assert meta.standard_fields is not None
        assert meta.standard_fields.host is not None
        assert meta.standard_fields.host.title == "Base URL"
        port = meta.standard_fields.port
        assert port is not None
        assert not port.hidden  # without a saved port the Test button fails: hooks/test_airflows_test_button.py
        assert "0" in (port.title or "")
        assert "Test button" in (port.placeholder or "")


def test_secret_fields_are_hidden_and_their_list_is_whole() -> None:
    from airflow.providers_manager import ProvidersManager

    widgets = ProvidersManager().connection_form_widgets
    hidden = {name.split("__", 2)[2] for name, widget in widgets.items() if "ifms" in name and widget.is_sensitive}
    assert hidden == {"log_key", "old_log_keys", "signing_key", "old_signing_keys", "legacy_log_secret", "auth_token"}


def test_defaults_of_the_form_are_those_of_the_configurations() -> None:
    from dataclasses import MISSING, fields

    from ifms.platform.config import PlatformConfig
    from ifms.treasury.config import TreasuryConfig

    for name, config in (("ifms_platform", PlatformConfig), ("ifms_treasury", TreasuryConfig)):
        shown = {key: field["schema"].get("default") for key, field in TYPES[name]["conn-fields"].items()}
        real = {field.name: field.default for field in fields(config) if field.default not in (MISSING, None, ())}
        assert {key: default for key, default in shown.items() if default is not None} == real


def test_the_choice_of_the_correction_key_is_a_list() -> None:
    schema = TYPES["ifms_treasury"]["conn-fields"]["correction_list_key"]["schema"]
    assert schema["enum"] == ["beneficiaryDetails", "beneficiaryDtls"]
    assert schema["default"] in schema["enum"]
