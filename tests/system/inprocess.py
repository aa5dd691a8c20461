"""This module serves in the test's own process, for tests that change how long the server waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn

from headrace.app import settings
from headrace.app.build import build
from headrace.app.protocol import Protocol

__all__ = ["serving"]


@contextlib.asynccontextmanager
async def serving(folder: Path, text: str) -> AsyncIterator[str]:
    """Serve with these settings (TOML) on a free port and yield the URL."""
    config = folder / "headrace.toml"
    config.write_text(text)
    # model servers of the developer's are not found
    environ = {"HEADRACE_MODELS_DISCOVERY": "false", "HEADRACE_MODELS_DEMONSTRATION": "false"}
    loaded = settings.load(config=config, flags={"data_dir": str(folder / "data")}, environ=environ)
    loaded.server.data_dir.mkdir()
    async with build(loaded) as program:
        how = uvicorn.Config(program.app, port=0, http=Protocol, ws="none", lifespan="off", log_config=None)
        how.load()
        server = uvicorn.Server(how)
        server.lifespan = how.lifespan_class(how)  # as `serve` does, which would also take over the signals
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await program.engine.drain(0)
            server.force_exit = True
            async with asyncio.timeout(10):
                await server.shutdown()
