"""The part of the page that describes the models: cards from the headers of their files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from nicegui import ui

from audioseq import models
from audioseq.checkpoint import read_header
from audioseq.errors import AudioseqError
from audioseq.server.service import Service

TASKS = {
    "speech": "Speech recognition",
    "music": "Composition",
    "harmony": "Harmonisation",
    "ngram": "Language model",
    "language": "Language model",
    "punctuation": "Punctuation and capitals",
}
MEASURES = {
    "wer": "word error rate",
    "nats_per_note": "nats per note",
    "nats": "nats per voice and sixteenth",
    "perplexity": "perplexity",
}
"""Fields of results that a card shows, with their names."""


def show_cards(service: Service) -> None:
    """Add a card for each model of the catalogue, and for each other speech model of the server."""
    known = {model.name: model.summary for model in models.CATALOGUE}
    others = {name: model.path for name, model in service.models.items() if name not in known}
    with ui.element("div").classes("cards"):
        for name, source, summary in (
            *((name, name, summary) for name, summary in known.items()),
            *((name, path, "a model of this server") for name, path in others.items()),
        ):
            ui.html(_card(name, source, summary), sanitize=False, tag="article").classes("panel")


@cache
def _card(name: str, source: str | Path, summary: str) -> str:
    """Return a model as HTML: data, licence, results and limits; below them the whole card."""
    head = f"<h2>{escape(name)}</h2>"
    try:
        path = models.resolve(source)
        header = read_header(path)
    except AudioseqError as error:
        return f'{head}<p class="message warning">{escape(str(error))}</p>'
    kind, card = TASKS.get(header.task, header.task), header.card
    head += f"<p>{escape(kind)}: {escape(summary)}.</p>"
    rows = {
        "Data": _text(card.get("data", "")),
        "Licence": card.get("licence", ""),
        "Results": "; ".join(_results({name: card.get(name) for name in ("results", "perplexity")})),
        "Limits": card.get("limits", ""),
        "Size": f"{path.stat().st_size / 1e6:.1f} MB",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows.items() if text)
    whole = escape(json.dumps(card, indent=1, ensure_ascii=False))
    return f"{head}<dl>{listed}</dl><details><summary>Whole card</summary><pre>{whole}</pre></details>"


def _text(data: Any) -> str:
    """Return a description of training data, which is text or a list of objects."""
    if isinstance(data, list):
        parts = (
            ", ".join(str(each[key]) for key in ("name", "licence", "used") if key in each) for each in data
        )
        return "; ".join(parts)
    return str(data)


def _results(fields: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the measures in a card, with what they were measured on.

    Example:
        >>> list(_results({"results": {"dev": {"wer": 0.125, "cer": 0.1}}, "perplexity": {"novels": 120.5}}))
        ['dev: word error rate 12.50 %', 'novels: perplexity 120.5']
    """
    for name, value in fields.items():
        measure = next((key for key in (name, *path) if key in MEASURES), None)
        if isinstance(value, dict):
            yield from _results(value, (*path, name))
        elif measure is not None and isinstance(value, float):
            where = ", ".join(key for key in (*path, name) if key not in (measure, "results"))
            number = f"{100 * value:.2f} %" if measure == "wer" else f"{value:.4g}"
            yield f"{where}: {MEASURES[measure]} {number}"
