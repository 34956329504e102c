from ifms_simulator import codes
from ifms_simulator.platform.masters import Masters
from ifms_simulator.platform.state import PlatformSettings, State


def test_the_master_data_names_the_ssus_as_the_treasury_derives_them(tmp_path):
    masters = Masters(State(tmp_path / "state.sqlite3", PlatformSettings(), 1), 27)
    assert len(masters.cities) == 27
    for city in masters.cities:
        for row in masters.rows(city, "ifms.SSUDetails"):
            assert row["ssuId"] == codes.ssu_id(row["ddoCode"])
            assert row["ssuOffice"] == codes.ssu_office(row["ddoCode"])
            assert row["granteeName"] == codes.grantee_name(row["granteeAgCode"])
    schemes = masters.rows("od", "ifms.SchemeDetails")
    assert [row["schemeCode"] for row in schemes] == [codes.SCHEME_CODE]
    assert [row["schemeName"] for row in schemes] == [codes.SCHEME_NAME]


def test_a_code_without_digits_has_a_number_too():
    assert codes.ssu_id("NODIGITS") == codes.ssu_id("NODIGITS")
    assert codes.ssu_id("NODIGITS").isdigit()
