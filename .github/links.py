"""A hook of mkdocs for links from the pages to other files of the repository, which the site does not hold.

On GitHub such a link works. On the site its text stands alone, with the path of the file after it.
"""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./\.\./([^)\s]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace links that lead out of the pages by the path of their target."""
    return OUTSIDE.sub(r"\1 (`\2`)", markdown)
