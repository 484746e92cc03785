"""The page, in a headless Chromium: what a person does, and what they see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import soundfile as sf
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from audioseq import models
from audioseq.midi import Note, Score
from audioseq.server.options import ServerOptions
from tests.music.tiny import model_file
from tests.server.live import Server, serving

ASSETS = Path(__file__).parents[3] / "assets"
HELLO = ASSETS / "hello.flac"
WORDS = ("window", "rain", "stone")
"""Words of the recording that the model gets right."""
PHONE: ViewportSize = {"width": 360, "height": 740}
TIMEOUT_MS = 120_000.0
"""Time that the page has for each step; machines that run several things at a time need it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with the page, the model of English, and a tiny model of music."""
    folder = tmp_path_factory.mktemp("web")
    options = ServerOptions(
        greedy=True, web=True, music_model=str(model_file(folder / "music.safetensors")), device="cpu"
    )
    with serving(options) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run a browser whose microphone hears a recording."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    heard = tmp_path_factory.mktemp("microphone") / "hello.wav"
    sf.write(heard, *sf.read(HELLO))
    options = [
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={heard}%noloop",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=options)
        yield launched
        launched.close()


@pytest.fixture
def page(server: Server, browser: Browser) -> Iterator[Page]:
    """Open the page; it may neither ask another host for anything nor fail in a script."""
    errors: list[str] = []
    with browser.new_context(viewport=PHONE, color_scheme="dark") as context:
        context.set_default_timeout(TIMEOUT_MS)
        opened = context.new_page()
        here = urlsplit(server.address).netloc

        def note(url: str) -> None:
            if urlsplit(url).netloc not in ("", here):
                errors.append(f"asked for {url}")

        opened.on("request", lambda request: note(request.url))
        opened.on("websocket", lambda socket: note(socket.url))
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(server.address)
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
    page.wait_for_function("document.querySelector('#recording').paused")  # it plays only the word
    assert page.evaluate("document.querySelector('#recording').currentTime") < 2
    for form, start in (("txt", "she opened"), ("srt", "1\n00:00:00,"), ("vtt", "WEBVTT"), ("json", "{")):
        with page.expect_download() as saved:
            page.get_by_role("link", name=form).click()
        assert saved.value.suggested_filename == f"hello.{form}"
        assert Path(saved.value.path()).read_text().lower().startswith(start.lower())

    page.keyboard.press("Tab")  # from the last link, back to the words by the keyboard
    page.locator(".word").first.focus()
    page.keyboard.press("End")
    assert "wall" in page.locator("#word-details").inner_text()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("!document.querySelector('#recording').paused")
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
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("document.querySelector('#live-text').textContent.includes('rain')")
    page.wait_for_function("document.querySelector('#record-time').textContent >= '0:05'")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.locator(".downloads").wait_for()
    text = page.locator(".transcript").inner_text()
    assert all(word in text for word in WORDS)


def test_a_piece_is_seen_heard_and_downloaded(page: Page) -> None:
    page.get_by_role("tab", name="Compose").click()
    page.get_by_label("Tempo").fill("1000")
    page.get_by_label("Tempo").press("Tab")
    page.wait_for_timeout(300)  # a wrong number stays, to be mended by the person
    assert page.get_by_label("Tempo").input_value() == "1000"
    page.get_by_role("button", name="Compose", exact=True).click()
    page.locator(".message").wait_for()
    (message,) = page.locator(".message").all_inner_texts()
    assert message == "tempo is 1000; give 20 to 400 quarter notes per minute"
    page.get_by_label("Tempo").fill("")
    page.get_by_label("Bars").fill("2")
    page.get_by_label("Seed").fill("7")
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
    for tab in ("Transcribe", "Compose", "Models"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for model in models.CATALOGUE:
        assert page.locator(".cards h2", has_text=model.name).count()
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    assert page.evaluate(brightness) < 150


def test_the_api_answers_beside_the_page(server: Server) -> None:
    answer = httpx.get(f"{server.address}/v1/nothing")
    assert answer.status_code == 404 and "no such address" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.address}/health").json()["status"] == "ok"
