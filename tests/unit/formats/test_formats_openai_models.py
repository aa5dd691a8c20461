import msgspec

from headrace.formats.openai_models import model_list


def test_models_are_listed_as_openai_does() -> None:
    assert msgspec.to_builtins(model_list([("box/a", "box", 4096), ("box/b", "box", None)])) == {
        "object": "list",
        "data": (
            {"id": "box/a", "object": "model", "created": 0, "owned_by": "box", "context_length": 4096},
            {"id": "box/b", "object": "model", "created": 0, "owned_by": "box"},
        ),
    }
