"""An extension of griffe, the reader of docstrings for mkdocstrings: adapts sections to its syntax."""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTION = re.compile(r"\n+(Args|Returns|Yields|Raises|Example):\n")


class Sections(griffe.Extension):
    """Separate sections by blank lines, and name sections of doctests `Examples`, as griffe expects."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object before it is parsed."""
        if obj.docstring:
            text = SECTION.sub(r"\n\n\1:\n", obj.docstring.value)
            obj.docstring.value = text.replace("\nExample:\n", "\nExamples:\n")
