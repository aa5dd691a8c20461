"""A conversation with the page: what is shown while an answer is made, and what one can do with it."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import BrowserContext, Route, expect

from page.desk import Desk
from system.people import client
from system.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEADY = " ".join(f"w{number}" for number in range(150))


async def test_what_is_sent_stands_there_at_once_and_keeps_its_element(desk: Desk) -> None:
    await desk.page.route("**/turns", lambda route: route.abort())
    await desk.ask("short", "Are you there?")
    await expect(desk.page.locator("article.said")).to_have_text("Are you there?")
    await expect(desk.answer.get_by_text("Sending")).to_be_visible()
    await desk.page.locator("article.said").evaluate("element => { element.dataset.mark = 'same' }")
    await desk.page.unroute("**/turns")
    assert await desk.whole() == " ".join(f"w{number}" for number in range(30))
    await expect(desk.page.locator("article.said")).to_have_attribute("data-mark", "same")
    assert await desk.answers.count() == 1


async def test_every_phase_before_the_first_word_has_its_words(desk: Desk) -> None:
    await desk.ask("phases")
    await expect(desk.answer).to_contain_text("Loading script/phases 50 %")
    await expect(desk.answer).to_contain_text("Reading the prompt 50 %")
    await desk.shot("phase-reading")
    await expect(desk.answer.locator(".phase")).to_contain_text("Thinking")
    await desk.answer.locator("summary").click()
    await expect(desk.answer.locator("details")).to_contain_text("thinking hard")
    assert await desk.whole() == "answer"


async def test_markdown_is_shown_with_tables_code_formulas_and_diagrams(desk: Desk) -> None:
    await desk.ask("rich")
    await desk.whole()
    await expect(desk.prose.get_by_role("heading", name="Tides, briefly")).to_be_visible()
    await expect(desk.prose.get_by_role("cell", name="68 %")).to_be_visible()
    await expect(desk.prose.locator(".hljs-keyword").first).to_have_text("def")
    await expect(desk.prose.locator("math").first).to_be_attached()
    await expect(desk.prose).to_contain_text("It costs $5 and $10.")
    await desk.shot("rich")
    await desk.button("Show diagram").click()
    picture = desk.prose.get_by_role("img", name="Diagram")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("element => element.naturalWidth") > 0
    await picture.scroll_into_view_if_needed()
    await desk.shot("diagram")
    assert desk.faults == []


async def test_the_numbers_are_estimates_until_the_server_counts(desk: Desk) -> None:
    await desk.ask("steady")
    figures = desk.answer.locator(".figures")
    await expect(figures).to_contain_text("script/steady")
    await expect(figures).to_contain_text("~")
    await expect(figures).to_contain_text("tok/s")
    await desk.button("Stop").click()
    await desk.ask("rich")
    await desk.whole()
    await expect(figures).to_contain_text("900 in")
    await expect(figures).to_contain_text("310 out")
    await expect(figures).to_contain_text("first after")
    await expect(figures).not_to_contain_text("~")


async def test_stop_stands_where_send_stood_and_keeps_what_there_is(desk: Desk) -> None:
    await desk.field.fill("x")
    place = await desk.button("Send").bounding_box()
    await desk.ask("steady")
    await expect(desk.prose).to_contain_text("w3 ")
    assert await desk.button("Stop").bounding_box() == place
    await desk.button("Stop").click()
    text = await desk.whole()
    assert STEADY.startswith(text)
    await expect(desk.answer).to_contain_text("Stopped.")
    await expect(desk.field).to_be_focused()
    await desk.shot("stopped")
    await desk.button("Continue").click()
    assert await desk.whole() == STEADY


async def test_escape_stops_an_answer_that_has_no_word_yet(desk: Desk) -> None:
    await desk.ask("hang")
    await expect(desk.answer).to_contain_text("Waiting for the first word")
    await desk.field.press("Escape")
    await expect(desk.answer).to_contain_text("Stopped before the first word.")


async def test_a_failure_says_why_and_retry_keeps_the_half_beside_it(desk: Desk) -> None:
    await desk.ask("breaks")
    await expect(desk.answer).to_contain_text("The model hung up.")
    await desk.shot("failed")
    await desk.button("Retry").click()
    await expect(desk.answer.locator(".branches")).to_have_text("2/2")
    await expect(desk.answer).to_contain_text("The model hung up.")
    await desk.button("Previous alternative").click()
    await expect(desk.answer.locator(".branches")).to_have_text("1/2")
    assert await desk.prose.inner_text() == "Half of it,"
    await desk.button("Continue").click()
    assert await desk.whole() == "Half of it, and the rest."


async def test_an_edited_question_and_its_answer_stand_beside_the_first(desk: Desk) -> None:
    await desk.ask("echo", "first")
    assert await desk.whole() == "first"
    said = desk.page.locator("article.said").first
    await said.hover()
    await said.get_by_role("button", name="Edit").click()
    await desk.page.get_by_role("textbox", name="Your message, edited").fill("second")
    await desk.page.get_by_role("textbox", name="Your message, edited").press("Control+Enter")
    await expect(desk.prose).to_have_text("second")
    await expect(said.locator(".branches")).to_have_text("2/2")
    await said.get_by_role("button", name="Previous alternative").click()
    await expect(desk.prose).to_have_text("first")
    await desk.page.reload()
    await expect(desk.prose).to_have_text("first")
    await desk.shot("branches")


async def test_regenerate_and_delete(desk: Desk) -> None:
    await desk.ask("echo", "again")
    await desk.whole()
    await desk.button("Regenerate").click()
    await expect(desk.answer.locator(".branches")).to_have_text("2/2")
    await desk.whole()
    for left in (1, 0):  # the other one, then none
        await desk.answer.get_by_role("button", name="Delete").click()
        await desk.answer.get_by_role("button", name="Delete").last.click()
        await expect(desk.answer.locator(".branches")).to_have_count(0)
        await expect(desk.answers).to_have_count(left)
    await desk.page.reload()
    await expect(desk.answers).to_have_count(0)
    await expect(desk.page.locator("article.said")).to_have_text("again")


async def test_a_reload_in_mid_answer_shows_it_whole_and_stop_still_works(desk: Desk) -> None:
    await desk.ask("steady")
    await expect(desk.prose).to_contain_text("w20 ")
    await desk.page.reload()
    await expect(desk.prose).to_contain_text("w20 ")
    assert (await desk.prose.inner_text()).startswith("w0 w1 w2 ")
    await desk.button("Stop").click()
    assert STEADY.startswith(await desk.whole())


async def test_an_answer_of_a_thousand_tokens_a_second_keeps_its_pace_and_every_word(desk: Desk) -> None:
    await desk.ask("fast")
    await expect(desk.answer).to_contain_text("x1400 = 1")
    await desk.whole()
    assert await desk.prose.locator("p").all_text_contents() == [
        "".join(f"w{number} " for number in range(1500)).strip(),
        "That is all.",
    ]
    code = "".join(f"x{number} = 1\n" for number in range(1500)).strip()
    assert await desk.prose.locator("pre code").text_content() == code


async def test_another_tab_and_another_device_see_it_live(desk: Desk, context: BrowserContext, server: Running) -> None:
    del server
    await desk.ask("steady")
    await expect(desk.prose).to_contain_text("w1 ")
    other = await Desk.at(context, desk.page.url)
    assert context.browser is not None
    async with await context.browser.new_context() as elsewhere:
        third = await Desk.at(elsewhere, desk.page.url)
        for each in (desk, other, third):
            assert await each.whole() == STEADY
        await other.ask("short", "And now?")
        for each in (desk, third):
            await each.page.bring_to_front()
            await expect(each.page.locator("article.said")).to_have_count(2)
            await expect(each.answer).to_contain_text("w29")


async def test_what_was_not_sent_is_kept(desk: Desk) -> None:
    await desk.ask("short")
    await desk.whole()
    await desk.field.fill("half a thought")
    await desk.page.reload()
    await expect(desk.field).to_have_value("half a thought")


async def test_how_far_an_answer_is_of_the_most_it_may_have(
    desk: Desk, context: BrowserContext, server: Running
) -> None:
    async with client(server.url) as http:
        chat = (await http.post("/chats", json={"parameters": {"max_tokens": 300}})).json()["id"]
    await desk.page.close()
    other = await Desk.at(context, f"{server.url}/chat/{chat}")
    await other.ask("steady")
    await expect(other.answer.locator(".figures")).to_contain_text("% of 300")
    await expect(other.answer.locator("progress")).to_be_attached()
    await other.button("Stop").click()


async def test_that_another_model_answers_is_said_with_the_reason(context: BrowserContext, server: Running) -> None:
    async def feed(route: Route) -> None:
        # no provider of this server switches: this stream tells of a switch, and those after it tell nothing
        run = parse_qs(urlsplit(route.request.url).query).get("follow", [""])[0].partition(":")[0]
        if run and run not in told:
            told.add(run)
            events = [{"run": run, "seq": seq, "t": 1, **event} for seq, event in enumerate(_SWITCHED)]
            body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            await route.fulfill(content_type="text/event-stream", body=body)

    async def tree(route: Route) -> None:
        # what the server has knows nothing of the switch
        await (route.abort() if route.request.method == "GET" else route.continue_())

    told: set[str] = set()
    await context.add_init_script("delete window.SharedWorker; delete Navigator.prototype.locks")
    await context.route("**/api/v1/events*", feed)
    await context.route("**/api/v1/chats/*", tree)
    desk = await Desk.at(context, server.url)
    await desk.ask("echo")
    assert await desk.whole() == "Here I am."
    await expect(desk.answer.locator(".figures")).to_contain_text("box/small")
    await expect(desk.answer.locator(".figures")).to_contain_text("instead of script/echo: it is down")


_SWITCHED = [
    {"type": "run.started", "run_id": "r", "model": "script/echo"},
    {"type": "model.switched", "from": "script/echo", "to": "box/small", "reason": "it is down"},
    {"type": "text", "delta": "Here I am."},
    {"type": "run.finished", "reason": "stop"},
]
