"""This module is a person before the page: what one sees there, and does."""

import os
from pathlib import Path
from typing import Self

from playwright.async_api import BrowserContext, Locator, Page, expect

__all__ = ["PATIENCE_MS", "Desk"]

PATIENCE_MS = 20_000
SHOTS = os.environ.get("HEADRACE_SHOTS")

expect.set_options(timeout=PATIENCE_MS)


class Desk:
    """One tab. `faults` has every script error, refused load and message of the browser's about the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: self.requests.append(request.url))

    @classmethod
    async def at(cls, context: BrowserContext, url: str) -> Self:
        """Open a tab at this address."""
        desk = cls(await context.new_page())
        await desk.page.goto(url)
        return desk

    async def sign_in(self, token: str) -> None:
        """Sign in with a token."""
        await self.page.get_by_label("Token").fill(token)
        await self.button("Sign in").click()
        await expect(self.field).to_be_visible()

    @property
    def field(self) -> Locator:
        """Where one writes."""
        return self.page.get_by_role("textbox", name="Message", exact=True)

    @property
    def answers(self) -> Locator:
        """The answers of the conversation."""
        return self.page.locator("article.answer")

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.answers.last

    @property
    def prose(self) -> Locator:
        """The text of the last answer."""
        return self.answer.locator("> .prose")

    @property
    def notice(self) -> Locator:
        """What is said where the server cannot be reached."""
        return self.page.get_by_text("No connection to the server.")

    def button(self, name: str) -> Locator:
        """Return the last button of this name."""
        return self.page.get_by_role("button", name=name, exact=True).last

    async def ask(self, model: str, text: str = "Go on.") -> None:
        """Choose a model of `script`, write and send."""
        await self.page.get_by_role("combobox", name="Model").select_option(f"script/{model}")
        await expect(self.button("Stop")).to_have_count(0)  # nothing is sent while an answer is being made, or stopped
        await self.field.fill(text)
        await self.field.press("Enter")

    async def whole(self, *, within_ms: float = PATIENCE_MS) -> str:
        """Wait until the last answer has ended, and its Markdown is read; return its text."""
        await expect(self.answer).to_have_attribute("aria-busy", "false", timeout=within_ms)
        await expect(self.prose.locator(".raw")).to_have_count(0, timeout=within_ms)
        return (await self.prose.inner_text()).strip()

    async def shot(self, name: str) -> None:
        """Keep a picture in the folder `HEADRACE_SHOTS`, if there is one."""
        if SHOTS is not None:
            width = (self.page.viewport_size or {"width": 0})["width"]
            await self.page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png")
