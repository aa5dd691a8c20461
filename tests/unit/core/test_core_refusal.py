"""How a model's server refused a request."""

import msgspec
import pytest

from headrace.core.refusal import Refusal


@pytest.mark.parametrize(
    ("status", "of_request"), [(400, True), (413, True), (422, True), (401, False), (429, False), (503, False)]
)
def test_only_some_statuses_say_that_the_request_cannot_be(
    status: int,
    of_request: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert Refusal(status=status).of_request is of_request


def test_what_was_not_said_is_not_written() -> None:
    assert msgspec.json.encode(Refusal(status=400, param="n")) == b'{"status":400,"param":"n"}'
