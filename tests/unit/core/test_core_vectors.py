import msgspec

from headrace.core.vectors import Vectors


def test_vectors_are_told_in_order_and_their_count_may_be_unknown() -> None:
    assert msgspec.json.encode(Vectors(values=([1.0], [2.0]))) == b'{"values":[[1.0],[2.0]],"input_tokens":null}'
