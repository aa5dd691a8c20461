import pytest

from headrace.store.search import fold, pattern


@pytest.mark.parametrize(("one", "other"), [("ÄRGER", "a\u0308rger"), ("STRASSE", "straße"), ("İ", "i\u0307")])
def test_texts_that_differ_in_case_and_composition_fold_to_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_removes_nul() -> None:
    assert fold("a\0B") == "ab"


def test_a_pattern_takes_their_meaning_from_wild_cards() -> None:
    assert pattern("50%_\\A") == "%50\\%\\_\\\\a%"
