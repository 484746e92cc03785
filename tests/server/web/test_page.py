"""The page, in a headless Chromium: what a person does, and what they see."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import soundfile as sf
from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

from audioseq import models
from audioseq.midi import Note, Score
from audioseq.server.composing import ComposeOptions
from audioseq.server.web.transcribing import _choices
from tests.server.live import Server, serving, tiny_options

ASSETS = Path(__file__).parents[3] / "assets"
HELLO = ASSETS / "hello.flac"
WORDS = ("window", "rain", "stone")
"""Words of the recording that the model gets right."""
PHONE: ViewportSize = {"width": 360, "height": 740}
TIMEOUT_MS = 120_000.0
"""Time that the page has for each step; machines that run several things at a time need it."""


@pytest.fixture(scope="session")  # a process can have one page
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with the page, the model of English, and tiny models."""
    options = tiny_options(tmp_path_factory.mktemp("web"), greedy=True, web=True)
    with serving(replace(options, models=("english-small", *options.models))) as running:
        yield running


@pytest.fixture(scope="module")  # its driver has an event loop
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Run a browser whose microphone hears a recording again and again."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    heard = tmp_path_factory.mktemp("microphone") / "hello.wav"
    sf.write(heard, *sf.read(HELLO))
    options = [
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={heard}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=options)
        with launched.new_context(viewport=PHONE, color_scheme="dark") as context:
            context.set_default_timeout(TIMEOUT_MS)
            yield context
        launched.close()


@pytest.fixture
def page(server: Server, browser: BrowserContext) -> Iterator[Page]:
    """Open the page; it may neither ask another host for anything nor fail in a script."""
    errors: list[str] = []
    here = urlsplit(server.address).netloc

    def note(url: str) -> None:
        if urlsplit(url).netloc not in ("", here):
            errors.append(f"asked for {url}")

    with browser.new_page() as opened:
        opened.on("request", lambda request: note(request.url))
        opened.on("websocket", lambda socket: note(socket.url))
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(server.address, wait_until="commit")
        opened.get_by_text("Choose a recording").wait_for()
        yield opened
    assert not errors


def upload(page: Page, file: Any) -> None:
    """Choose a file in the part of the page that is visible."""
    page.locator(".uploader:visible input[type=file]").set_input_files(file)


def test_words_of_an_upload_are_read_heard_and_downloaded(page: Page, tmp_path: Path) -> None:
    upload(page, HELLO)
    page.locator(".downloads").wait_for()
    text = page.locator(".transcript").inner_text()
    assert all(word in text for word in WORDS)
    page.get_by_role("button", name="window").click()
    page.wait_for_function("document.querySelector('#recording').currentTime > 1")
    assert "confidence" in page.locator("#word-details").inner_text()
    page.wait_for_function("document.querySelector('#recording').paused")
    assert not page.evaluate("document.querySelector('#recording').ended")  # it plays only the word
    for form, start in (("txt", "she opened"), ("srt", "1\n00:00:00,"), ("vtt", "WEBVTT"), ("json", "{")):
        with page.expect_download() as saved:
            page.get_by_role("link", name=form).click()
        assert saved.value.suggested_filename == f"hello.{form}"
        assert Path(saved.value.path()).read_text().lower().startswith(start.lower())

    page.keyboard.press("Tab")  # from the last link, back to the words by the keyboard
    page.locator(".word").first.focus()
    page.keyboard.press("End")
    assert page.locator(".word").last.inner_text().strip(" .") in page.locator("#word-details").inner_text()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.evaluate("document.querySelector('#recording').onplay = () => (document.title = 'played')")
    page.keyboard.press("Enter")
    page.wait_for_function("document.title === 'played'")
    assert page.evaluate("document.activeElement.textContent") == page.locator(".word").nth(1).inner_text()


def test_a_broken_file_gives_one_clear_message(page: Page) -> None:
    upload(page, {"name": "../../etc/päss wd.wav", "mimeType": "audio/wav", "buffer": b"not a recording"})
    page.locator(".message").wait_for()
    (message,) = page.locator(".message").all_inner_texts()
    assert message.startswith("päss wd.wav: is not audio")
    assert "\n" not in message and "Traceback" not in message
    upload(page, HELLO)  # and the page goes on
    page.locator(".word").first.wait_for()
    assert page.locator(".message.error").count() == 0


def test_the_microphone_gives_text_while_one_speaks_and_afterwards(page: Page) -> None:
    sent: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.get_by_role("button", name="Record", exact=True).click()
    for word in WORDS:
        page.wait_for_function(f"document.querySelector('#live-text').textContent.includes('{word}')")
    assert page.locator("#record-time").inner_text() > "0:00"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator(".downloads").wait_for()
    text = page.locator(".transcript").inner_text()
    assert all(word in text for word in WORDS)
    config = next(json.loads(each)["config"] for each in sent if '"config"' in str(each))
    assert config["model"] == "english-small"


def test_the_chosen_model_transcribes_also_live_speech(page: Page) -> None:
    upload(page, HELLO)
    page.locator(".word").first.wait_for()
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name="mumbler").click()
    page.get_by_label("Expected words").fill("Fuji, Ada Lovelace;")
    page.get_by_role("button", name="Transcribe again").click()
    page.wait_for_function("document.querySelector('.transcript').textContent.includes('mfmf')")
    config = page.get_by_role("button", name="Record", exact=True).get_attribute("data-config")
    assert json.loads(config or "") == {"model": "mumbler", "phrase_list": ["Fuji", "Ada Lovelace"]}


def test_models_are_offered_with_and_without_language_models() -> None:
    models = {
        name: SimpleNamespace(decoding=lambda found=found: found) for name, found in (("a", 1), ("b", None))
    }
    choices: Any = _choices(SimpleNamespace(models=models))  # type: ignore[arg-type]
    assert list(choices) == [("a", False), ("a", True), ("b", True)]
    assert choices["b", True] == "b"


def test_a_piece_is_seen_heard_and_downloaded(page: Page) -> None:
    page.get_by_role("tab", name="Compose").click()
    page.get_by_label("Tempo").fill("1000")
    page.get_by_label("Tempo").press("Tab")
    page.get_by_role("button", name="Compose", exact=True).click()
    page.locator(".message").wait_for()
    (message,) = page.locator(".message").all_inner_texts()
    assert message == "tempo is 1000; give 20 to 400 quarter notes per minute"
    assert page.get_by_label("Tempo").input_value() == "1000"  # to be mended by the person
    page.get_by_label("Tempo").fill("")
    page.get_by_label("Bars").fill("2")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Chords").fill("| Am | F |")
    page.get_by_role("button", name="Compose", exact=True).click()
    piece = page.locator(".piece")
    piece.wait_for()
    assert piece.locator("h2").inner_text().startswith("Seed 7")
    page.wait_for_function("document.querySelector('.piece img').naturalWidth > 500")
    page.wait_for_function("document.querySelector('.piece audio').duration > 1")
    piece.locator("audio").evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelector('.piece audio').currentTime > 0.1")
    with page.expect_download() as saved:
        piece.get_by_role("link", name="MIDI").click()
    assert saved.value.suggested_filename == "audioseq-7.mid"
    assert "seed 7" in Score.load(Path(saved.value.path())).text
    page.get_by_role("button", name="Another like this").click()
    page.locator(".piece").nth(1).wait_for()
    newest = page.locator(".piece h2").first.inner_text()
    assert newest.split(": ")[0] != "Seed 7"
    key = newest.split(" in ")[1].split(",")[0]
    assert f" in {key}," in page.locator(".piece h2").nth(1).inner_text()


def test_a_composition_can_be_cancelled(page: Page, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(wanted: ComposeOptions, check: Callable[[], object]) -> None:
        until = time.monotonic() + TIMEOUT_MS / 1000
        while time.monotonic() < until:
            check()
            time.sleep(0.01)

    monkeypatch.setattr(server.service._composer, "compose", compose)
    page.get_by_role("tab", name="Compose").click()
    page.get_by_role("button", name="Compose", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Composing…").wait_for(state="hidden")
    assert page.get_by_role("button", name="Compose", exact=True).is_enabled()
    assert page.locator(".piece").count() == page.locator(".message").count() == server.service.active == 0


@pytest.mark.slow
def test_a_melody_is_harmonised_and_saved_as_sheet_music(page: Page, tmp_path: Path) -> None:
    notes = (Note(pitch, 80, 0.5 * index, 0.5) for index, pitch in enumerate((72, 74, 71, 72)))
    Score(tuple(notes)).save(tmp_path / "tune.mid")
    page.get_by_role("tab", name="Compose").click()
    upload(page, tmp_path / "tune.mid")
    page.get_by_role("button", name="harmonise it").click()
    page.get_by_role("button", name="Compose", exact=True).click()
    page.locator(".piece").wait_for()
    assert "harmonised" in page.locator(".piece h2").inner_text()
    with page.expect_download() as saved:
        page.get_by_role("button", name="MusicXML").click()
    assert b"<score-partwise" in Path(saved.value.path()).read_bytes()


def test_a_phone_scrolls_only_down_and_darkness_is_dark(page: Page) -> None:
    for tab, part in (("Transcribe", ".uploader"), ("Compose", ".form"), ("Models", ".cards")):
        page.get_by_role("tab", name=tab).click()
        page.locator(f"{part}:visible").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in (*(model.name for model in models.CATALOGUE), "mumbler"):
        assert page.locator(".cards h2", has_text=name).count()
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    assert page.evaluate(brightness) < 150


def test_the_api_answers_beside_the_page(server: Server) -> None:
    answer = httpx.get(f"{server.address}/v1/nothing")
    assert answer.status_code == 404 and "no such address" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.address}/health").json()["status"] == "ok"
    socket = f"{server.address}/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert httpx.get(socket, headers={"Origin": "https://evil.example"}).status_code == 403
