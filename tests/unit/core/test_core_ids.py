"""Ids."""

import re

from headrace.core.ids import new_run_id


def test_run_ids_are_opaque_safe_in_a_url_and_never_the_same() -> None:
    ids = {new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"run_[A-Za-z0-9_-]{22}", each) for each in ids)
