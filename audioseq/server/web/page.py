"""The page at `/`: transcribe, compose, and the models."""

from __future__ import annotations

import warnings
from pathlib import Path

from fastapi import FastAPI
from nicegui import ui

from audioseq.server.errors import RequestError
from audioseq.server.service import Service
from audioseq.server.web.cards import show_cards
from audioseq.server.web.composing import ComposePart
from audioseq.server.web.files import SharedFiles
from audioseq.server.web.transcribing import TranscribePart

FOLDER = Path(__file__).parent
RECONNECT_SECONDS = 600.0
"""Time for which a page is kept whose browser sleeps, with its transcript, pieces and files, seconds."""
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#2f6fb0"/>'
    '<path d="M7 13v6M13 8v16M19 11v10M25 14v4" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>'
)


def mount(app: FastAPI, service: Service) -> None:
    """Add the page to an application, at `/`; a process can have one page.

    It calls the service directly, and loads nothing from other hosts.
    """
    files = SharedFiles()
    app.include_router(files.router)

    @app.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    def unknown(rest: str) -> None:
        """Answer for addresses that the API does not have, which would otherwise reach the page."""
        raise RequestError(f"/v1/{rest}: no such address, or another method", status=404)

    @ui.page("/", title="audioseq", favicon=FAVICON, dark=None, language="en-GB")
    def show() -> None:
        ui.add_css(FOLDER / "page.css")
        ui.add_head_html(f"<script>{(FOLDER / 'page.js').read_text(encoding='utf-8')}</script>")
        ui.colors(primary="#2f6fb0")
        with ui.header().classes("head"):
            ui.html("<h1>audioseq</h1>", sanitize=False)
            with ui.tabs().props("no-caps inline-label") as tabs:
                transcribe = ui.tab("Transcribe", icon="mic")
                compose = ui.tab("Compose", icon="music_note")
                about = ui.tab("Models", icon="info")
        with ui.tab_panels(tabs, value=transcribe, keep_alive=True, animated=False).classes("parts"):
            with ui.tab_panel(transcribe):
                TranscribePart(service, files)
            with ui.tab_panel(compose):
                ComposePart(service, files)
            with ui.tab_panel(about):
                show_cards(service)

    # At the start, NiceGUI looks at all objects, and so at a deprecated one of torch.
    warnings.filterwarnings("ignore", ".*reduce_op.* is deprecated", FutureWarning)
    ui.run_with(
        app, reconnect_timeout=RECONNECT_SECONDS, tailwind=False, show_welcome_message=False,
        binding_refresh_interval=None,
    )  # fmt: skip
