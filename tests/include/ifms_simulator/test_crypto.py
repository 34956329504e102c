import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ifms_simulator import crypto

VECTORS = Path(__file__).parents[3].parent / "shared" / "vectors" / "jit-crypto.json"


def test_aes_agrees_with_java():
    if not VECTORS.exists():
        pytest.skip("the vectors made by Java are not beside this repository")
    vectors = json.loads(VECTORS.read_text())["aes_256_ecb_pkcs5"]
    assert vectors
    for vector in vectors:
        key, cipher = base64.b64decode(vector["key_b64"]), base64.b64decode(vector["cipher_b64"])
        assert crypto.encrypt(key, base64.b64decode(vector["plain_utf8_b64"])) == cipher
        assert crypto.decrypt(key, cipher) == base64.b64decode(vector["plain_utf8_b64"])


def test_aes_agrees_with_the_standard():
    # FIPS 197, appendix C.3.
    key, plain = bytes(range(32)), bytes.fromhex("00112233445566778899aabbccddeeff")
    assert crypto.encrypt_blocks(key, plain).hex() == "8ea2b7ca516745bfeafc49904b496089"


@pytest.mark.parametrize("ciphertext", [b"", b"x" * 15, bytes(16), crypto.encrypt_blocks(bytes(32), bytes(16))])
def test_what_is_no_ciphertext_is_refused(ciphertext):
    with pytest.raises(ValueError, match=r"block|padding"):
        crypto.decrypt(bytes(32), ciphertext)


def test_key_pair_outlives_its_process():
    pair = crypto.KeyPair.generate()
    again = crypto.KeyPair.load(pair.dump())
    assert again.public_key == pair.public_key
    public = serialization.load_der_public_key(base64.b64decode(pair.public_key))
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048


def test_key_pair_refuses_what_was_not_for_it():
    with pytest.raises(ValueError, match="Decryption"):
        crypto.KeyPair.generate().decrypt(bytes(256))
