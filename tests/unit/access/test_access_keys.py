import hashlib
import hmac

import pytest

from headrace.access.keys import Keys, hkdf

MASTER = bytes(range(32))

# RFC 5869, appendix A, the test cases for SHA-256: key material, salt, info, length, what comes out.
VECTORS = {
    "A.1": (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb"
            "41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    "A.3": (
        "0b" * 22,
        "",
        "",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("case", VECTORS)
def test_hkdf_makes_what_rfc_5869_says(case: str) -> None:
    material, salt, info, length, made = VECTORS[case]
    derived = hkdf(bytes.fromhex(material), salt=bytes.fromhex(salt), info=bytes.fromhex(info), length=length)
    assert derived.hex() == made


@pytest.mark.parametrize("length", [0, 1, 32, 33, 8160])
def test_hkdf_makes_as_many_bytes_as_are_asked_for(length: int) -> None:
    assert len(hkdf(MASTER, salt=b"", info=b"", length=length)) == length


def test_hkdf_makes_no_more_than_its_counter_reaches() -> None:
    with pytest.raises(ValueError, match="at most 8160"):
        hkdf(MASTER, salt=b"", info=b"", length=8161)


def test_a_key_is_derived_under_the_label_of_its_purpose() -> None:
    assert Keys(MASTER).key("token") == hkdf(MASTER, salt=b"", info=b"headrace/token", length=32)


def test_a_key_never_changes() -> None:
    keys = Keys(MASTER)
    assert keys.key("token") == keys.key("token") == Keys(MASTER).key("token")


def test_each_purpose_has_its_own_key() -> None:
    keys = Keys(MASTER)
    assert len({keys.key(purpose) for purpose in ("token", "session", "invitation")}) == 3


def test_each_master_secret_has_its_own_keys() -> None:
    assert Keys(MASTER).key("token") != Keys(bytes(32)).key("token")


def test_a_digest_is_an_hmac_under_the_key_of_its_purpose() -> None:
    keys = Keys(MASTER)
    assert keys.digest("token", "hr_x") == hmac.new(keys.key("token"), b"hr_x", hashlib.sha256).digest()


def test_a_digest_for_one_purpose_is_of_no_use_for_another() -> None:
    keys = Keys(MASTER)
    assert len({keys.digest(purpose, "hr_x") for purpose in ("token", "session", "invitation")}) == 3


def test_any_text_has_a_digest() -> None:
    keys = Keys(MASTER)
    assert len({keys.digest("token", text) for text in ("", "\0", "é", "\ud800", "\udfff", "\U0001f30a")}) == 6


def test_a_short_master_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes, not 31"):
        Keys(bytes(31))
