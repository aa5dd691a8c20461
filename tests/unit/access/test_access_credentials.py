import base64
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.access.credentials import Kind, hint, kind_of, mint

KINDS: tuple[Kind, ...] = get_args(Kind)
PREFIXES: dict[Kind, str] = {"token": "hr_", "session": "hrs_", "invitation": "hri_"}

kinds = st.sampled_from(KINDS)
near_misses = st.builds(
    str.__add__,
    st.sampled_from(["", "hr", "hr_", "hrs_", "hri_", "hrx_", "HR_"]),
    st.text(alphabet="Aa0_-=+/ \n\u0661é", min_size=41, max_size=46),
)


def minted(text: str) -> bool:
    """Whether `mint` can have made this, said in another way: the prefix, then what 32 bytes are in base64url."""
    for prefix in PREFIXES.values():
        rest = text.removeprefix(prefix)
        if rest != text and len(rest) == 43 and rest.isascii():
            try:
                secret = base64.b64decode(rest + "=", altchars=b"-_", validate=True)
            except ValueError:
                continue
            if base64.urlsafe_b64encode(secret).decode() == rest + "=":
                return True
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_has_the_prefix_of_its_kind_and_256_bits(kind: Kind) -> None:
    prefix, rest = mint(kind)[:-43], mint(kind)[-43:]
    assert prefix == PREFIXES[kind]
    assert len(base64.urlsafe_b64decode(rest + "=")) == 32


def test_no_two_secrets_are_the_same() -> None:
    assert len({mint("token") for _ in range(1_000)}) == 1_000


@given(kinds)
def test_what_was_minted_is_known_by_its_kind(kind: Kind) -> None:
    assert kind_of(mint(kind)) == kind


@given(st.text() | near_misses)
def test_any_text_is_judged_and_only_what_can_have_been_minted_is_accepted(text: str) -> None:
    assert (kind_of(text) is not None) == minted(text)


@given(kinds, st.integers(0, 46), st.characters())
def test_one_other_character_is_accepted_only_where_it_could_have_been_minted(kind: Kind, at: int, other: str) -> None:
    secret = mint(kind)
    changed = secret[:at] + other + secret[at + 1 :]
    assert (kind_of(changed) is not None) == minted(changed)


@pytest.mark.parametrize("around", ["{}\n", " {}", "{} ", "{}=", "\0{}", "Bearer {}"])
def test_nothing_may_stand_around_a_secret(around: str) -> None:
    assert kind_of(around.format(mint("token"))) is None


def test_bits_that_no_secret_has_are_not_accepted() -> None:
    assert kind_of("hr_" + "A" * 43) == "token"
    assert kind_of("hr_" + "A" * 42 + "B") is None  # decodes to the same 32 bytes


def test_a_long_text_is_no_secret() -> None:
    assert kind_of("hr_" + "A" * 10_000_000) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_hint_is_the_first_8_characters(kind: Kind) -> None:
    secret = mint(kind)
    assert hint(secret) == secret[:8]
