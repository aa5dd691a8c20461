import re

import pytest

from headrace.net.origin import parse
from headrace.providers.presets import SERVERS, SERVICES, table
from headrace.providers.registry import KINDS


def test_every_name_can_stand_before_the_slash_of_a_model() -> None:
    assert all(re.fullmatch("[a-z]+", name) for name in (*SERVERS, *SERVICES))
    assert not SERVERS.keys() & SERVICES.keys()


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_on_this_machine_and_of_a_kind_that_there_is(name: str) -> None:
    server = SERVERS[name]
    target = parse(server.base_url(4711))
    assert (target.origin.scheme, target.origin.host, target.origin.port) == ("http", "127.0.0.1", 4711)
    assert server.kind in KINDS


@pytest.mark.parametrize("name", SERVICES)
def test_a_key_goes_over_tls_only(name: str) -> None:
    assert parse(SERVICES[name].base_url).origin.scheme == "https"
    assert SERVICES[name].variable == f"{name.upper()}_API_KEY"


def test_a_known_name_has_all_that_its_table_needs() -> None:
    assert table("ollama") == {"kind": "ollama", "base_url": "http://127.0.0.1:11434"}
    assert table("groq") == (
        {"kind": "openai", "base_url": "https://api.groq.com/openai/v1", "api_key_env": "GROQ_API_KEY"}
    )
    assert table("box") == {}


@pytest.mark.parametrize("name", [name for name in (*SERVERS, *SERVICES) if table(name)["kind"] in KINDS])
def test_what_the_table_says_is_taken(name: str) -> None:
    given = table(name)
    kind = KINDS[given.pop("kind")]
    given.pop("api_key_env", None)
    assert isinstance(kind.settings(**given), kind.settings)
