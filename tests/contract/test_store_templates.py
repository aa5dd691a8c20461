from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.store_world import HUGE, KINDS, MARY, NOW, opened
from headrace.core.errors import BadField, NotFound
from headrace.core.principal import LOCAL
from headrace.store.records import Template, TemplateChanges, Variable
from headrace.store.store import Store

TEXT = "Translate into {{language}}:\n\n{{content}}"
LANGUAGE = Variable("language", "Into which", "French")


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def make(store: Store, name: str = "Translate", **more: Any) -> Template:
    return await store.templates.create(LOCAL, **{"name": name, "content": TEXT, "now_ms": NOW, **more})


async def test_a_template_is_stored_as_it_is_returned(store: Store) -> None:
    made = await make(store, description="For letters", variables=[LANGUAGE, Variable("content")])
    assert made == Template(
        id=1,
        owner_id=LOCAL.user_id,
        name="Translate",
        description="For letters",
        content=TEXT,
        variables=(LANGUAGE, Variable("content")),
        created_at=NOW,
        updated_at=NOW,
    )
    assert await store.templates.get(LOCAL, made.id) == made


async def test_a_template_needs_no_more_than_name_and_text(store: Store) -> None:
    made = await make(store)
    assert (made.description, made.variables) == (None, ())


async def test_any_text_is_kept_as_it_is(store: Store) -> None:
    text = "\u2028 \0 '; DROP TABLE templates; -- {{a}} %s \U0001f686\r\n"
    made = await make(store, content=text, variables=[Variable("a", text, text)])
    assert (await store.templates.get(LOCAL, made.id)) == made
    assert (made.content, made.variables[0].default) == (text, text)


async def test_two_templates_may_have_one_name(store: Store) -> None:
    assert (await make(store)).id != (await make(store)).id


async def test_an_id_is_never_used_again(store: Store) -> None:
    first = await make(store)
    await store.templates.delete(LOCAL, first.id)
    assert (await make(store)).id == first.id + 1


async def test_what_is_given_is_changed(store: Store) -> None:
    made = await make(store, description="For letters", variables=[LANGUAGE])
    changes = TemplateChanges(name="Letters", description=None)
    changed = await store.templates.update(LOCAL, made.id, changes, now_ms=NOW + 1)
    assert (changed.name, changed.description, changed.content) == ("Letters", None, TEXT)
    assert (changed.variables, changed.created_at, changed.updated_at) == ((LANGUAGE,), NOW, NOW + 1)
    changed = await store.templates.update(
        LOCAL, made.id, TemplateChanges(content="Hi {{a}}", variables=(Variable("a"),)), now_ms=NOW + 2
    )
    assert (changed.name, changed.content, changed.variables) == ("Letters", "Hi {{a}}", (Variable("a"),))
    assert await store.templates.get(LOCAL, made.id) == changed


async def test_nothing_given_changes_nothing(store: Store) -> None:
    made = await make(store)
    assert await store.templates.update(LOCAL, made.id, TemplateChanges(), now_ms=NOW + 1) == made


async def test_a_template_that_was_removed_is_not_found(store: Store) -> None:
    made = await make(store)
    await store.templates.delete(LOCAL, made.id)
    with pytest.raises(NotFound, match=f"There is no template {made.id}"):
        await store.templates.get(LOCAL, made.id)
    with pytest.raises(NotFound):
        await store.templates.delete(LOCAL, made.id)
    assert (await store.templates.list(LOCAL)).items == ()


async def test_only_one_is_removed(store: Store) -> None:
    first, second = await make(store), await make(store)
    await store.templates.delete(LOCAL, first.id)
    assert (await store.templates.list(LOCAL)).items == (second,)


async def test_templates_are_listed_in_pages_the_newest_first(store: Store) -> None:
    made = [await make(store, f"{number}") for number in range(5)]
    await store.templates.create(MARY, name="Mary's", content="x", now_ms=NOW)
    pages, before = [], None
    while True:
        page = await store.templates.list(LOCAL, limit=2, before=before)
        pages.append(list(page.items))
        if page.next is None:
            break
        before = page.next
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]


@pytest.mark.parametrize("limit", [0, 201, -1])
async def test_a_limit_that_cannot_be_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(BadField) as caught:
        await store.templates.list(LOCAL, limit=limit)
    assert caught.value.field == "limit"


@pytest.mark.parametrize("before", ["", "x", "-1", "1.2", str(HUGE), "\u0661"])
async def test_a_place_that_no_page_named_is_refused(store: Store, before: str) -> None:
    with pytest.raises(BadField) as caught:
        await store.templates.list(LOCAL, before=before)
    assert caught.value.field == "before"
