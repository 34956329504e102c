import pytest

from ifms_simulator.platform.cipher import Cipher, masked
from ifms_simulator.platform.envelope import ServiceError


def test_equal_texts_have_equal_ciphertexts_and_come_back():
    cipher = Cipher(["od", "xx"])
    sealed = cipher.encrypt("od.samplea", "000000000017")
    assert sealed == cipher.encrypt("od.sampleb", "000000000017")
    assert sealed != cipher.encrypt("xx", "000000000017")
    assert sealed.partition("|")[1] == "|"
    assert cipher.decrypt_tree({"a": [sealed, None]}) == {"a": ["000000000017", None]}


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        ("plain", "Invalid Ciphertext"),
        (7, "Invalid Ciphertext"),
        ("1|AAA=", "KEY_NOT_FOUND"),
        ("100001|AAAA", "Invalid"),
    ],
)
def test_what_is_no_ciphertext_is_refused(leaf, code):
    with pytest.raises(ServiceError, match=code):
        Cipher(["od"]).decrypt_tree([leaf])


def test_masking_leaves_the_last_four():
    assert masked("1234567") == "***4567"
    assert masked("12") == "12"


def test_the_service_takes_bare_json_and_refuses_with_an_envelope(start_platform):
    client = start_platform(cities=1, bills_per_city=0)
    request = {"encryptionRequests": [{"tenantId": "od", "type": "Normal", "value": {"accountNumber": "12345"}}]}
    sealed = client.post("egov-enc-service/crypto/v1/_encrypt", request, info=False).json()
    path = "egov-enc-service/crypto/v1/_decrypt"
    assert client.post(path, sealed, info=False).json() == [{"accountNumber": "12345"}]
    reply = client.post(path, ["plain"], info=False)
    assert reply.status_code == 400
    assert reply.json()["Errors"][0]["code"] == "Invalid Ciphertext"
