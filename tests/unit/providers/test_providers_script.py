import json
from pathlib import Path

import pytest

from headrace.core.errors import SettingsError
from headrace.core.events import ModelLoading, ModelReady, PromptProgress, Reasoning, Text, ToolCall, Usage
from headrace.providers.script import Fail, Finish, Hang, Moment, Step, Tool, load, play, resume

EVERYTHING = """
[[step]]
loading = true
[[step]]
wait_ms = 100
loading = 0.5
[[step]]
wait_ms = 100
[[step]]
progress = {read = 10, total = 20, cached = 5}
[[step]]
reasoning = "hm"
[[step]]
wait_ms = 20
text = "{i} {prompt} "
repeat = 2
[[step]]
tool_call = {name = "weather", arguments = '{"city": "Bern"}', id = "c1"}
[[step]]
usage = {input_tokens = 3, output_tokens = 4}
[[step]]
finish = "length"
"""


def played(*steps: Step, prompt: str = "") -> list[Moment]:
    return list(play(steps, model="m", prompt=prompt))


def in_ms(moments: list[Moment]) -> list[tuple[int, object]]:
    return [(round(due * 1000), thing) for due, thing in moments]


def test_a_script_says_all_that_can_happen_and_when(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(EVERYTHING)
    assert in_ms(list(play(load(tmp_path)["all"], model="m", prompt="hi"))) == [
        (0, ModelLoading("m")),
        (100, ModelLoading("m", 0.5)),
        (200, ModelReady("m")),
        (200, PromptProgress(10, 20, 5)),
        (200, Reasoning("hm")),
        (220, Text("0 hi ")),
        (240, Text("1 hi ")),
        (240, ToolCall("c1", "weather", '{"city": "Bern"}')),
        (240, Usage(input_tokens=3, output_tokens=4)),
        (240, Finish("length")),
    ]


def test_the_same_can_be_said_in_json(tmp_path: Path) -> None:
    steps = [{"text": "a"}, {"fail": {"code": "overloaded", "message": "busy"}}]
    (tmp_path / "list.json").write_text(json.dumps(steps))
    (tmp_path / "object.json").write_text(json.dumps({"step": steps}))
    scripts = load(tmp_path)
    assert scripts["list"] == scripts["object"] == (Step(text="a"), Step(fail=Fail("overloaded", "busy")))


def test_words_are_events_of_their_own_each_after_its_wait() -> None:
    assert in_ms(played(Step(text=" one  two\nthree", words=True, wait_ms=10))) == [
        (10, Text(" ")),
        (20, Text("one  ")),
        (30, Text("two\n")),
        (40, Text("three")),
    ]


def test_times_do_not_drift() -> None:
    moments = played(Step(text="x", wait_ms=1000 / 30, repeat=3000))
    assert moments[-1][0] == pytest.approx(100, abs=1e-6)


def test_braces_that_mean_nothing_stay() -> None:
    assert played(Step(text="{x} {i} {}", repeat=1)) == [(0, Text("{x} 0 {}"))]


def test_what_the_user_wrote_is_not_a_template() -> None:
    assert played(Step(text="{prompt}"), prompt="{i} {prompt}") == [(0, Text("{i} {prompt}"))]


def test_a_failure_while_loading_leaves_the_model_unready() -> None:
    things = [thing for _, thing in played(Step(loading=True), Step(fail=Fail("engine_died")))]
    assert things == [ModelLoading("m"), Fail("engine_died")]


STEPS = (
    Step(reasoning="hm", wait_ms=10),
    Step(text="one ", wait_ms=10),
    Step(fail=Fail("upstream_closed")),
    Step(text="two", wait_ms=10),
    Step(finish="stop"),
)


def resumed(said: str, *steps: Step) -> list[tuple[int, object]] | None:
    moments = resume(play(steps or STEPS, model="m", prompt=""), said)
    return None if moments is None else in_ms(list(moments))


def test_a_continued_script_goes_on_after_what_was_said() -> None:
    assert resumed("one t") == [(0, Text("wo")), (0, Finish("stop"))]
    assert resumed("one two") == [(0, Finish("stop"))]


def test_a_continued_script_does_not_fail_again_where_it_failed() -> None:
    assert resumed("one ") == [(10, Text("two")), (10, Finish("stop"))]
    assert resumed("on")[:2] == [(0, Text("e ")), (0, Fail("upstream_closed"))]  # type: ignore[index] # it is a list
    assert resumed("a", Step(text="a"), Step(hang=True), Step(finish="stop")) == [(0, Finish("stop"))]
    assert Hang() in [thing for _, thing in played(Step(hang=True))]


@pytest.mark.parametrize("said", ["x", "one x", "one two three"])
def test_a_text_that_is_not_the_scripts_cannot_be_continued(said: str) -> None:
    assert resumed(said) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[step]]\ntxt = 'a'", ["txt", "step[0]"]),
        ("[[step]]\ntext = 'a'\n[[step]]\nwait_ms = -1", ["step[1].wait_ms"]),
        ("[[step]]\nrepeat = 0", ["step[0].repeat"]),
        ("[[step]]\ntext = 'a'\nfinish = 'stop'", ["text and finish", "step[0]"]),
        ("[[step]]\nfinish = 'end'", ["step[0].finish"]),
        ("[[step]]\nfail = {code = 'broken'}", ["no such code 'broken'", "upstream_closed", "step[0].fail"]),
        ("[[step]]\nprogress = {read = 1}", ["total", "step[0].progress"]),
        ("[[steps]]\ntext = 'a'", ["step"]),
        ("text = ", ["is not TOML"]),
    ],
)
def test_a_mistake_is_told_with_its_file_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert all(word in caught.value.message for word in [str(path), *words])


@pytest.mark.parametrize("data", [b"\xff", b"[" * 100_000, b"{"])
def test_json_that_is_none_is_told_with_its_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(SettingsError, match=r"bad\.json: is not JSON"):
        load(tmp_path)


def test_a_script_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_bytes(b"#" * 1_048_577)
    with pytest.raises(SettingsError, match="larger than 1048576 bytes"):
        load(tmp_path)


def test_too_many_scripts_are_not_read(tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"{number}.toml").touch()
    with pytest.raises(SettingsError, match="has 201 scripts"):
        load(tmp_path)


def test_two_scripts_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("step = []")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(SettingsError, match="another script named 'a'"):
        load(tmp_path)


def test_a_folder_or_script_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="folder of scripts cannot be read"):
        load(tmp_path / "none")
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(SettingsError, match=r"a\.toml: the script cannot be read"):
        load(tmp_path)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "a.toml").write_text("step = []")
    assert dict(load(tmp_path)) == {"a": ()}


def test_a_tool_has_defaults() -> None:
    assert played(Step(tool_call=Tool("weather"))) == [(0, ToolCall("call_1", "weather", "{}"))]
