"""What goes to a model."""

from headrace.core.messages import ImagePart, ReasoningPart, TextPart, text_of
from headrace.core.principal import LOCAL


def test_the_text_of_a_message_is_its_words_only() -> None:
    assert text_of((ReasoningPart("r"), TextPart("a"), ImagePart("image/png", "QUJD"), TextPart("b"))) == "ab"
    assert text_of(()) == ""


def test_the_user_of_a_fresh_database_is_local() -> None:
    assert (LOCAL.user_id, LOCAL.name) == (1, "local")
