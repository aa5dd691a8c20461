"""This script measures the page in a real Chromium against what one can do with nothing but a `<pre>`.

    PYTHONPATH=tests python tools/bench_page.py [--tokens 100000] [--rate 1000]

It starts a server of its own on a free port, as the tests do, which plays a script; it needs Chromium (or its path in
CHROMIUM). Printed are how long Stop takes, and how long a second browser needs until it shows a running answer whole,
opened and loaded again; then, for both: 95th percentile and longest time between frames, the main thread's work, the
heap, and the memory of the page's process.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from system.calls import Caller
from system.running import Running, config

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-precise-memory-info")
EARLY = 2000  # tokens after which an answer is stopped, or looked at from elsewhere
REPEATS = 5
LEAST = 20_000
"""Fewer tokens are over before Stop is measured."""

_FRAMES = """() => {
  window.gaps = [];
  let last = performance.now();
  const frame = () => {
    const now = performance.now();
    window.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""

_GAPS = """() => {
  const gaps = window.gaps.splice(0).sort((one, other) => one - other);
  return { frames: gaps.length, p95: gaps[Math.floor(gaps.length * 0.95)], longest: gaps.at(-1) };
}"""

_BARE = """async (run) => {
  const pre = document.body.appendChild(document.createElement("pre"));
  const text = pre.appendChild(document.createTextNode(""));
  const reply = await fetch(`/api/v1/runs/${run}/events`);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", fresh = "", due = false;
  const show = () => { due = false; text.appendData(fresh); fresh = ""; scrollTo(0, document.body.scrollHeight); };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split("\\n\\n");
    rest = frames.pop();
    for (const frame of frames) {
      const event = JSON.parse(frame.slice(frame.indexOf("data: ") + 6));
      if (event.type === "text") fresh += event.delta;
    }
    if (!due && fresh) { due = true; requestAnimationFrame(show); }
  }
}"""


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the page.")
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1000, help="tokens a second")
    parser.add_argument(
        "--kinds", nargs="+", choices=("words", "code"), default=("words", "code"), help="answers to show"
    )
    arguments = parser.parse_args()
    if arguments.tokens < LEAST:
        parser.error(f"--tokens: at least {LEAST}")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("There is no Chromium here: install it, or name it in CHROMIUM.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = folder / "scripts"
        scripts.mkdir()
        _write_scripts(scripts, arguments.tokens, 1000 / arguments.rate)
        async with (
            Running(folder, config(scripts=scripts)) as server,
            async_playwright() as playwright,
            Caller(server.url) as caller,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            await _reactions(browser, server.url, caller)
            for kind in arguments.kinds:
                bare = await _bare(browser, caller, f"script/{kind}")
                page = await _page(browser, server.url, f"script/{kind}")
                _print(kind, bare, page)
            await browser.close()


def _write_scripts(folder: Path, tokens: int, wait_ms: float) -> None:
    """Write an answer of paragraphs, and one that is a single block of code and so never done before its end."""
    paragraph = [{"text": "word{i} ", "repeat": 200, "wait_ms": wait_ms}, {"text": "and **so** it goes.\n\n"}]
    words = paragraph * (tokens // 201)
    code = [
        {"text": "```python\n"},
        {"text": "x{i} = 1\n", "repeat": tokens - 2, "wait_ms": wait_ms},
        {"text": "```\n"},
    ]
    for name, steps in (("words", words), ("code", code)):
        (folder / f"{name}.json").write_text(json.dumps([*steps, {"finish": "stop"}]))


async def _bare(browser: Browser, caller: Caller, model: str) -> dict[str, float]:
    page = await browser.new_page()
    await page.goto(f"{caller.url}/health")
    watch = await _watched(page)
    turn = await caller.turn(await caller.chat(), model=model)
    await page.evaluate(_BARE, turn.run_id)
    return await _seen(page, watch)


async def _page(browser: Browser, url: str, model: str) -> dict[str, float]:
    page = await browser.new_page()
    watch = await _opened(page, url)
    await _asked(page, model)
    await page.locator("article.answer[aria-busy=false]").wait_for(timeout=0)
    return await _seen(page, watch)


async def _opened(page: Page, url: str) -> CDPSession:
    await page.goto(url)
    await page.get_by_role("textbox", name="Message", exact=True).wait_for()
    return await _watched(page)


async def _asked(page: Page, model: str) -> None:
    await page.get_by_role("combobox", name="Model").select_option(model)
    field = page.get_by_role("textbox", name="Message", exact=True)
    await field.fill("Go on.")
    await field.press("Enter")


async def _watched(page: Page) -> CDPSession:
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.evaluate(_FRAMES)
    return session


async def _seen(page: Page, watch: CDPSession) -> dict[str, float]:
    gaps = await page.evaluate(_GAPS)
    metrics = {each["name"]: each["value"] for each in (await watch.send("Performance.getMetrics"))["metrics"]}
    resident = _resident_of_renderers()
    await page.close()
    return {
        **gaps,
        "work_s": metrics["TaskDuration"],
        "heap_mb": metrics["JSHeapUsedSize"] / 1e6,
        "process_mb": resident,
    }


def _resident_of_renderers() -> float:
    """Return the memory of the largest of the browser's page processes, without what it shares."""
    found = [0.0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" not in (process / "cmdline").read_bytes():
                continue
            rollup = (process / "smaps_rollup").read_text()
        except OSError:
            continue
        lines = (line.split() for line in rollup.splitlines())
        found.append(sum(int(line[1]) for line in lines if line[0].startswith("Private_")) / 1000)
    return max(found)


def _print(kind: str, bare: dict[str, float], page: dict[str, float]) -> None:
    print(f"{kind}: page against <pre>; main thread {page['work_s'] / bare['work_s']:.2f} x")
    for name, seen in (("page", page), ("<pre>", bare)):
        print(
            f"  {name:6} frames {seen['frames']:.0f}, p95 {seen['p95']:.1f} ms, longest {seen['longest']:.0f} ms, "
            f"work {seen['work_s']:.2f} s, heap {seen['heap_mb']:.0f} MB, process {seen['process_mb']:.0f} MB"
        )


async def _reactions(browser: Browser, url: str, caller: Caller) -> None:
    stops, opened, reloaded = [], [], []
    for _ in range(REPEATS):
        page = await browser.new_page()
        await _opened(page, url)
        await _asked(page, "script/words")
        await page.evaluate(_LONGER % (5 * EARLY))
        chat_id = int(page.url.rpartition("/")[2])
        context = await browser.new_context()
        elsewhere = await context.new_page()
        opened.append(await _whole(elsewhere, caller, chat_id, elsewhere.goto(f"{url}/chat/{chat_id}")))
        reloaded.append(await _whole(elsewhere, caller, chat_id, elsewhere.reload()))
        await context.close()
        stops.append(await page.evaluate(_STOP))
        await page.close()
    print(f"Stop, from the click until nothing comes any more: {_spread(stops)}")
    print(f"a running answer in a second browser, from the document's start until it is whole: {_spread(opened)}")
    print(f"the same, when it is loaded there again: {_spread(reloaded)}")


async def _whole(page: Page, caller: Caller, chat_id: int, loading: Awaitable[object]) -> float:
    """Load a chat; return after how many milliseconds all that there was of its answer before is shown."""
    tree = await caller.get(f"/chats/{chat_id}")
    letters = len(tree["messages"][-1]["parts"][0]["text"].replace("*", "").replace("\n\n", ""))
    await page.add_init_script(_WHOLE % letters)
    await loading
    return float(await page.evaluate("() => window.whole"))


_WHOLE = """window.whole = new Promise((resolve) => {
  const look = () => {
    const letters = document.querySelector("article.answer .prose")?.textContent.length ?? 0;
    if (letters >= %d) resolve(performance.now());
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""

_LONGER = """() => new Promise((resolve) => {
  const look = () => {
    const letters = document.querySelector("article.answer .prose")?.textContent.length ?? 0;
    if (letters > %d) resolve();
    else requestAnimationFrame(look);
  };
  look();
})"""

_STOP = """() => new Promise((resolve) => {
  const at = performance.now();
  document.querySelector("button[aria-label=Stop]").click();
  const look = () => {
    const answer = document.querySelector("article.answer");
    if (answer.getAttribute("aria-busy") === "false") resolve(performance.now() - at);
    else requestAnimationFrame(look);
  };
  look();
})"""


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[0]:.0f} to {ordered[-1]:.0f} ms, median {ordered[len(ordered) // 2]:.0f} ms"


if __name__ == "__main__":
    started = time.monotonic()
    asyncio.run(main())
    print(f"{time.monotonic() - started:.0f} s")
