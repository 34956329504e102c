"""The record of what was tried: it is of a version of a module, and says which modules have changed since."""

from mutants import tried
from mutants.tried import Tried

FUNDS, PD = "ledger/funds.py", "services/pd.py"


def test_what_was_found_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "tried.toml"
    tried.note(file, PD, Tried("0a1b2c3d", {"killed": 51, "survived": 0, "equivalent": 2}))
    tried.note(file, FUNDS, Tried("00000000", {"killed": 190, "timeout": 1}))
    tried.note(file, FUNDS, Tried("11111111", {"killed": 191, "timeout": 1}))
    assert tried.read(file) == {
        FUNDS: Tried("11111111", {"killed": 191, "timeout": 1}),
        PD: Tried("0a1b2c3d", {"killed": 51, "equivalent": 2}),
    }
    assert tried.total(file, [FUNDS, PD, "new.py"]) == {"killed": 242, "timeout": 1, "equivalent": 2}
    assert tried.total(file, [PD]) == {"killed": 51, "equivalent": 2}


def test_a_module_that_was_written_since_has_changed(tmp_path):
    file = tmp_path / "tried.toml"
    for path, source in ((FUNDS, "as = 'tried'"), (PD, "as = 'it is now'"), ("new.py", "")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)
    assert tried.changed(file, tmp_path, [FUNDS]) == [FUNDS]
    tried.note(file, FUNDS, Tried(tried.version_of("as = 'tried'"), {}))
    tried.note(file, PD, Tried(tried.version_of("as = 'it was'"), {}))
    assert tried.changed(file, tmp_path, [FUNDS, PD, "new.py"]) == [PD, "new.py"]
