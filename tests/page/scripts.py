"""This module has the scripts that the provider `script` plays for the page's tests."""

import json
from pathlib import Path
from typing import Any

__all__ = ["HOSTILE", "write_scripts"]

_FINISH = {"finish": "stop"}

HOSTILE = """\
Inline ![pixel](http://SINK/inline.png) and by reference ![pixel][px] and ![svg](data:image/svg+xml;base64,PHN2Zy8+).

<img src="http://SINK/html.png" onerror="window.pwned=1"><script>window.pwned=2</script>
<iframe src="http://SINK/frame"></iframe><svg onload="window.pwned=3"></svg>
<style>body{background:url(http://SINK/css)}</style><link rel="stylesheet" href="http://SINK/link.css">
<a href="javascript:window.pwned=4">html link</a> <details open ontoggle="window.pwned=5">x</details>

[bad](javascript:window.pwned=6) [worse](JaVaScRiPt:window.pwned=7) [data](data:text/html,<script>window.pwned=8</script>)
[vb](vbscript:window.pwned=9) <javascript:window.pwned=10> [own](/api/v1/session) [good](https://example.org/)

Fine: \\(x^2\\). \\(\\includegraphics{http://SINK/math.png}\\) \\(\\href{javascript:window.pwned=11}{x}\\) \\(\\htmlClass{a"onload=1}{y}\\)

$$\\url{javascript:window.pwned=12} \\undefinedmacro<img src=x onerror=window.pwned=13>$$

| a | <img src=x onerror=window.pwned=14> |
|---|---|
| ![t](http://SINK/table.png) | http://SINK/auto |

```html
<script>window.pwned=15</script><img src="http://SINK/code.png">
```

```mermaid
flowchart LR
  A["<img src='http://SINK/mermaid.png' onerror='window.pwned=16'>"] --> B
  click A "javascript:window.pwned=17"
  click B call alert()
```

```mermaid
%%{init: {"securityLevel": "loose", "themeCSS": "* { background: url(http://SINK/theme) }"}}%%
flowchart LR
  C[<script>window.pwned=18</script>] --> D
```

[px]: http://SINK/reference.png
"""

_RICH = """\
# Tides, briefly

The sea follows the *Moon* more than the **Sun**.

| Body | Share |
|---|---:|
| Moon | 68 % |

The pull is \\(a = 2GMr/d^3\\). It costs $5 and $10.

```python
def tide(t: float) -> float:
    return 1.2 * math.cos(t)  # the Moon alone
```

```mermaid
flowchart LR
  Moon --> Sea
```

Read [the tables](https://example.org/tides).
"""

_SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "rich": [
        {"reasoning": "First the Moon. ", "words": True},
        {"text": _RICH, "words": True, "wait_ms": 4},
        {"usage": {"input_tokens": 900, "output_tokens": 310}},
        _FINISH,
    ],
    "phases": [
        {"loading": True},
        {"loading": 0.5},
        {"wait_ms": 1500},
        {"progress": {"read": 450, "total": 900}},
        {"wait_ms": 1500},
        {"reasoning": "thinking hard "},
        {"wait_ms": 1500},
        {"text": "answer "},
        _FINISH,
    ],
    "steady": [{"text": "w{i} ", "repeat": 150, "wait_ms": 40}, _FINISH],
    "short": [{"text": "w{i} ", "repeat": 30, "wait_ms": 20}, _FINISH],
    "fast": [
        {"text": "w{i} ", "repeat": 1500, "wait_ms": 1},
        {"text": "\n\n```python\n"},
        {"text": "x{i} = 1\n", "repeat": 1500, "wait_ms": 1},
        {"text": "```\n\nThat is all."},
        _FINISH,
    ],
    "hang": [{"hang": True}],
    "breaks": [
        {"text": "Half of it, "},
        {"fail": {"code": "upstream_closed", "message": "The model hung up."}},
        {"text": "and the rest."},
        _FINISH,
    ],
    "hostile": [{"text": HOSTILE, "words": True}, _FINISH],
}


def write_scripts(folder: Path, *, sink: str = "127.0.0.1:9") -> Path:
    """Write the scripts into the folder and return it. `sink` is where hostile text wants to be fetched from."""
    for name, steps in _SCRIPTS.items():
        (folder / f"{name}.json").write_text(json.dumps(steps).replace("SINK", sink))
    return folder
