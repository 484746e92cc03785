"""Messages of the page: errors as one line each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from audioseq.errors import AudioseqError


class Messages:
    """The place where a part of the page shows errors and warnings; screen readers announce them."""

    def __init__(self) -> None:
        self._area = ui.column().classes("messages").props("role=alert")

    def clear(self) -> None:
        """Remove all messages."""
        self._area.clear()

    def show(self, text: str, *, error: bool = False) -> None:
        """Add a message."""
        with self._area:
            ui.label(text).classes("message error" if error else "message warning")

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Remove all messages, and show an error as one message instead of raising it."""
        self.clear()
        try:
            yield
        except AudioseqError as error:
            self.show(str(error), error=True)
        except Exception:
            logging.exception("the page")
            self.show("unexpected error; the log of the server has its traceback", error=True)
