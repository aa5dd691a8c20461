from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import KINDS, MARY, NOW, end, opened, say
from headrace.core.errors import BadField, Conflict, NotFound
from headrace.core.events import Timings, Usage
from headrace.core.messages import TextPart
from headrace.core.principal import LOCAL
from headrace.core.status import LIVE
from headrace.store.records import Failure, Outcome, Run
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def test_a_run_may_exist_without_a_chat(store: Store) -> None:
    made = await store.runs.create(LOCAL, run_id="r1", model="box/a", parameters={"n": 1}, now_ms=NOW)
    assert made == await store.runs.get(LOCAL, "r1")
    assert made == Run(
        id="r1",
        number=made.number,
        owner_id=1,
        chat_id=None,
        message_id=None,
        user_message_id=None,
        status="queued",
        model_requested="box/a",
        model=None,
        parameters={"n": 1},
        continues=False,
        usage=None,
        timings=None,
        error=None,
        created_at=NOW,
        ended_at=None,
        client_id=None,
        body_hash=None,
    )


async def test_finish_stores_the_outcome_once(store: Store) -> None:
    await store.runs.create(LOCAL, run_id="r1", now_ms=NOW)
    outcome = Outcome(
        status="failed",
        parts=(),
        ended_at=NOW + 9,
        model="box/a",
        usage=Usage(output_tokens=4),
        timings=Timings(total_ms=8, tokens_per_second=1.5),
        error=Failure("overloaded", "Too many.", retryable=True),
    )
    assert await store.runs.finish("r1", outcome) is True
    ended = await store.runs.get(LOCAL, "r1")
    assert (ended.status, ended.ended_at, ended.model) == ("failed", NOW + 9, "box/a")
    assert (ended.usage, ended.timings, ended.error) == (outcome.usage, outcome.timings, outcome.error)
    assert await store.runs.finish("r1", Outcome(status="complete", parts=(), ended_at=NOW + 99)) is False
    assert await store.runs.get(LOCAL, "r1") == ended


async def test_finishing_again_does_not_touch_the_message(store: Store) -> None:
    turn = await end(store, await say(store), "first")
    again = Outcome(status="failed", parts=(TextPart("second"),), ended_at=NOW + 5)
    assert await store.runs.finish(turn.run_id, again) is False
    message = await store.messages.get(LOCAL, turn.assistant_message_id)
    assert (message.status, message.parts) == ("complete", (TextPart("first"),))


async def test_finishing_what_is_not_there_does_nothing(store: Store) -> None:
    assert await store.runs.finish("nowhere", Outcome(status="complete", parts=(), ended_at=NOW)) is False


async def test_the_model_that_answered_is_kept_where_a_later_run_names_none(store: Store) -> None:
    turn = await end(store, await say(store), "cut", "stopped", model="box/a")
    more = await store.turns.resume(LOCAL, turn.assistant_message_id, run_id="r2", now_ms=NOW)
    await end(store, more, "", "failed")
    assert (await store.messages.get(LOCAL, turn.assistant_message_id)).model == "box/a"
    assert (await store.runs.get(LOCAL, "r2")).model is None


async def test_a_run_is_found_by_its_client_id(store: Store) -> None:
    made = await store.runs.create(LOCAL, run_id="r1", client_id="c", body_hash="h", now_ms=NOW)
    assert await store.runs.find_by_client_id(LOCAL, "c") == made
    assert await store.runs.find_by_client_id(LOCAL, "d") is None


async def test_the_same_client_id_is_the_same_run_or_a_conflict(store: Store) -> None:
    made = await store.runs.create(LOCAL, run_id="r1", client_id="c", body_hash="h", now_ms=NOW)
    assert await store.runs.create(LOCAL, run_id="r2", client_id="c", body_hash="h", now_ms=NOW) == made
    with pytest.raises(Conflict) as caught:
        await store.runs.create(LOCAL, run_id="r3", client_id="c", body_hash="other", now_ms=NOW)
    assert caught.value.code == "client_id_reused"
    with pytest.raises(NotFound):
        await store.runs.get(LOCAL, "r3")


async def test_runs_without_a_client_id_are_never_the_same(store: Store) -> None:
    for run_id in ("r1", "r2"):
        assert (await store.runs.create(LOCAL, run_id=run_id, now_ms=NOW)).id == run_id


async def test_two_users_may_have_the_same_client_id(store: Store) -> None:
    for principal, run_id in ((LOCAL, "r1"), (MARY, "r2")):
        made = await store.runs.create(principal, run_id=run_id, client_id="c", now_ms=NOW)
        assert (made.id, made.owner_id) == (run_id, principal.user_id)


async def test_a_run_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no run nowhere"):
        await store.runs.get(LOCAL, "nowhere")


async def test_runs_are_listed_newest_first_in_pages(store: Store) -> None:
    for n in range(5):
        await store.runs.create(LOCAL, run_id=f"r{n}", now_ms=NOW)
    seen: list[str] = []
    before = None
    for _ in range(3):
        page = await store.runs.list(LOCAL, limit=2, before=before)
        seen += [run.id for run in page.items]
        before = page.next
    assert (seen, before) == (["r4", "r3", "r2", "r1", "r0"], None)


async def test_runs_are_listed_by_status_and_every_live_one_means_those_that_go_on(store: Store) -> None:
    await store.runs.create(LOCAL, run_id="going", now_ms=NOW)
    for status in ("complete", "failed"):
        await store.runs.create(LOCAL, run_id=status, now_ms=NOW)
        await store.runs.finish(status, Outcome(status=status, parts=(), ended_at=NOW))

    async def ids(*statuses: str) -> list[str]:
        return [run.id for run in (await store.runs.list(LOCAL, statuses=statuses)).items]

    assert await ids("failed") == ["failed"]
    assert await ids("failed", "complete") == ["failed", "complete"]
    assert await ids() == []
    for status in LIVE:
        assert await ids(status) == ["going"]


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("status", {"statuses": ["done"]}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 201}),
        ("before", {"before": "r1"}),
        ("before", {"before": "9" * 19}),
        ("before", {"before": ""}),
    ],
)
async def test_what_no_list_has_is_refused(store: Store, field: str, given: dict[str, object]) -> None:
    with pytest.raises(BadField) as caught:
        await store.runs.list(LOCAL, **given)  # type: ignore[arg-type] # each is what its parameter takes
    assert caught.value.field == field


async def test_unfinished_runs_are_those_of_everybody_in_order(store: Store) -> None:
    turn = await say(store)
    await store.runs.create(MARY, run_id="r1", now_ms=NOW)
    await end(store, await say(store, parent_id=None))
    unfinished = await store.runs.unfinished()
    assert [(run.id, run.owner_id, run.message_id) for run in unfinished] == [
        (turn.run_id, 1, turn.assistant_message_id),
        ("r1", 2, None),
    ]
