"""deploy/secrets.sh: every secret new, for its owner's eyes, and never a second time."""

import base64
import shutil
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from support import compose

from ifms import clock

SERVERS = ("postgres", "redis", "elasticsearch", "kafka", "api-server")
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
    assert done.returncode == 0
    assert done.stdout.startswith(f"secrets.sh: {file} is there already; it was left as it is\n")
    assert file.read_text() == "IFMS_LOG_KEY=sample\n"
    assert {each.name for each in tmp_path.iterdir()} == {"kept.env", "certificates"}


def test_of_many_at_once_one_makes_it(tmp_path):
    file = tmp_path / "one.env"
    running = [
        subprocess.Popen(["sh", str(compose.SECRETS), str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    said = [process.communicate()[0].decode() for process in running]
    assert sum(f"made {file}\n" in each for each in said) == 1
    assert {process.returncode for process in running} <= {0, 1}
    assert file.read_text().count("POSTGRES_PASSWORD=") == 1
    assert {each.name for each in tmp_path.iterdir()} == {"one.env", "certificates"}, "nothing is left beside them"
    for server in SERVERS:
        verified(tmp_path / "certificates", server)


def test_it_says_nothing_secret(tmp_path):
    done = run("--simulators", tmp_path / "made.env")
    assert done.stderr == ""
    assert [line.split()[2] for line in done.stdout.splitlines()] == [
        *(f"{tmp_path}/certificates/{server}.crt," for server in SERVERS),
        str(tmp_path / "made.env"),
    ]


def verified(folder, server):
    """The certificate, which is of the authority, for that server alone, and for its key."""
    authority, certificate = (
        x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in ("ca.pem", f"{server}.crt")
    )
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [server, "localhost"]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = load_pem_private_key((folder / f"{server}.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    return certificate


def test_each_server_has_a_certificate_of_its_own(tmp_path):
    compose.secrets(tmp_path)
    folder = tmp_path / "certificates"
    made = [verified(folder, server) for server in SERVERS]
    assert len({each.public_key().public_numbers() for each in made}) == len({each.serial_number for each in made}) == 5
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.rglob("*") if each.is_file()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {"ca.pem"}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE((folder / "authority").stat().st_mode) == 0o700


def test_run_again_it_renews_what_ends_soon_or_does_not_belong_and_leaves_the_rest(tmp_path):
    compose.secrets(tmp_path)
    folder = tmp_path / "certificates"
    (folder / "kafka.key").write_bytes((folder / "redis.key").read_bytes())
    _shortened(folder, "postgres", days=29)
    _shortened(folder, "redis", days=31)
    before = {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    done = run(tmp_path / "made.env")
    assert done.returncode == 0
    after = {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
    assert {name for name in after if after[name] != before[name]} == {
        "postgres.crt",
        "postgres.key",
        "kafka.crt",
        "kafka.key",
    }
    for server in SERVERS:
        verified(folder, server)


def test_an_authority_that_ends_is_said_and_nothing_is_made_with_it(tmp_path):
    compose.secrets(tmp_path)
    folder = tmp_path / "certificates"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-new",
            "-key",
            folder / "authority/ca.key",
            "-days",
            "29",
            "-subj",
            "/CN=sample",
            "-out",
            folder / "ca.pem",
        ],
        check=True,
        capture_output=True,
    )
    before = (folder / "redis.crt").read_bytes()
    done = run(tmp_path / "made.env")
    assert done.returncode == 1
    assert "the authority itself ends within 30 days" in done.stderr
    assert (folder / "redis.crt").read_bytes() == before


def _shortened(folder, server, days):
    """Sign a server's key for so many days."""
    asked = [
        "openssl",
        "req",
        "-new",
        "-key",
        f"{server}.key",
        "-subj",
        f"/CN={server}",
        "-addext",
        f"subjectAltName=DNS:{server},DNS:localhost",
    ]
    signed = [
        "openssl",
        "x509",
        "-req",
        "-CA",
        "ca.pem",
        "-CAkey",
        "authority/ca.key",
        "-days",
        str(days),
        "-copy_extensions",
        "copy",
        "-out",
        f"{server}.crt",
    ]
    request = subprocess.run(asked, cwd=folder, check=True, capture_output=True).stdout
    extended = folder.parent / "extensions"
    extended.write_text(f"subjectAltName=DNS:{server},DNS:localhost\nbasicConstraints=critical,CA:FALSE\n")
    subprocess.run(
        [*signed[:-4], *signed[-2:], "-extfile", extended], cwd=folder, input=request, check=True, capture_output=True
    )


@pytest.mark.skipif(shutil.which("dash") is None, reason="there is no dash here, the plainest shell")
def test_it_is_plain_sh(tmp_path):
    done = subprocess.run(["dash", "-u", str(compose.SECRETS), str(tmp_path / "made.env")], check=False)
    assert done.returncode == 0


def test_what_it_makes_is_no_part_of_the_repository_or_the_image():
    assert {".env", "/certificates/"} <= set((compose.REPO / ".gitignore").read_text().splitlines())
    kept = [line for line in (compose.REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not [line for line in kept if "env" in line]
