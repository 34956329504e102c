"""The certificate that a simulator makes for itself: once, and its key for nobody else."""

import ssl
import stat

from cryptography import x509

from ifms_simulator.tls import identity_of


def test_it_is_made_once_for_its_name_and_its_key_is_the_owner_s(tmp_path):
    certificate, state = tmp_path / "trusted.pem", tmp_path / "treasury.db"
    made = identity_of("treasury", certificate, state)
    assert made.certificate == certificate
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    assert names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [
        "treasury"
    ]
    before = certificate.read_bytes(), made.key.read_bytes()
    assert identity_of("treasury", certificate, state) == made
    assert (certificate.read_bytes(), made.key.read_bytes()) == before
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate, made.key)


def test_without_its_key_it_is_made_anew(tmp_path):
    certificate, state = tmp_path / "trusted.pem", tmp_path / "treasury.db"
    made = identity_of("treasury", certificate, state)
    old = certificate.read_bytes()
    made.key.unlink()
    identity_of("treasury", certificate, state)
    assert certificate.read_bytes() != old
