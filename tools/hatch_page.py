"""This module has the page built whenever a wheel is. An editable installation leaves that to `make page`.

`HEADRACE_PAGE=skip` in the environment makes a wheel without a page.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[BuilderConfig]):
    """Builds the page into the package."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling."""
        del build_data
        if version != "editable" and os.environ.get("HEADRACE_PAGE") != "skip":
            subprocess.run([sys.executable, str(Path(self.root) / "tools" / "build_page.py")], check=True)
