"""deploy/secrets.sh: every secret new, for its owner's eyes, and never a second time."""

import base64
import shutil
import stat
import subprocess

import pytest
from support import compose

from ifms import clock

SIZES = {"AIRFLOW_FERNET_KEY": 32, "IFMS_LOG_KEY": 32, "IFMS_SIGNING_KEY": 32}


def run(*arguments):
    return subprocess.run(
        ["sh", str(compose.SECRETS), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_only_its_owner_reads_it_and_no_two_are_alike(tmp_path):
    made = compose.secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "made.env").stat().st_mode) == 0o600
    plain = ("IFMS_TREASURY", "IFMS_START_DATE")
    secret = {name: value for name, value in made.items() if value and not name.startswith(plain)}
    assert len(secret) == 14
    assert len(set(secret.values())) == len(secret)
    assert all(len(value) >= 22 for value in secret.values())
    for name, size in SIZES.items():
        assert len(base64.b64decode(made[name].translate(str.maketrans("-_", "+/")), validate=True)) == size
    (tmp_path / "other").mkdir()
    assert not set(secret.values()) & set(compose.secrets(tmp_path / "other").values())


def test_it_asks_for_returned_payments_from_the_day_on_which_it_was_made(tmp_path):
    before = clock.to_ist(clock.now()).date()
    made = compose.secrets(tmp_path)
    assert before.isoformat() <= made["IFMS_START_DATE"] <= clock.to_ist(clock.now()).date().isoformat()


def test_the_keys_are_keys(tmp_path):
    from cryptography.fernet import Fernet

    from ifms.sealing import Sealer

    made = compose.secrets(tmp_path)
    Fernet(made["AIRFLOW_FERNET_KEY"].encode())
    sealer = Sealer.from_config(made["IFMS_LOG_KEY"])
    assert sealer.open(sealer.seal(b"sample")) == b"sample"


def test_a_file_that_is_there_is_left_as_it_is(tmp_path):
    file = tmp_path / "kept.env"
    file.write_text("IFMS_LOG_KEY=sample\n")
    done = run(file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"secrets.sh: {file} is there already; nothing was changed\n"
    assert file.read_text() == "IFMS_LOG_KEY=sample\n"
    assert list(tmp_path.iterdir()) == [file]


def test_of_many_at_once_one_makes_it(tmp_path):
    file = tmp_path / "one.env"
    running = [
        subprocess.Popen(["sh", str(compose.SECRETS), str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    ended = [(process.communicate()[0], process.returncode) for process in running]
    assert sorted(code for _, code in ended) == [0, 1, 1, 1, 1, 1]
    assert file.read_text().count("POSTGRES_PASSWORD=") == 1
    assert list(tmp_path.iterdir()) == [file], "nothing is left beside it"


def test_it_says_nothing_secret(tmp_path):
    done = run("--simulators", tmp_path / "made.env")
    assert (done.stdout, done.stderr) == (f"secrets.sh: made {tmp_path / 'made.env'}\n", "")


@pytest.mark.skipif(shutil.which("dash") is None, reason="there is no dash here, the plainest shell")
def test_it_is_plain_sh(tmp_path):
    done = subprocess.run(["dash", "-u", str(compose.SECRETS), str(tmp_path / "made.env")], check=False)
    assert done.returncode == 0


def test_what_it_makes_is_no_part_of_the_repository_or_the_image():
    assert ".env" in (compose.REPO / ".gitignore").read_text().splitlines()
    kept = [line for line in (compose.REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not [line for line in kept if "env" in line]
