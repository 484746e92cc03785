"""Files that a page offers to its browser: recordings to play, transcripts and pieces to download."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse
from nicegui import ui

from audioseq.server.errors import RequestError

MEDIA_TYPES = {
    ".json": "application/json",
    ".mid": "audio/midi",
    ".musicxml": "application/vnd.recordare.musicxml+xml",
    ".png": "image/png",
    ".srt": "application/x-subrip; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wav": "audio/wav",
}


class SharedFiles:
    """Folders of files with addresses that cannot be guessed.

    A request only looks up its address in a table, so no path of a client reaches the file system.
    """

    def __init__(self) -> None:
        self._paths: dict[tuple[str, str], Path] = {}
        self.router = APIRouter()
        self.router.add_api_route("/files/{folder}/{name}", self._send, include_in_schema=False)

    def create_folder(self) -> SharedFolder:
        """Create an empty folder in the folder for temporary files."""
        return SharedFolder(self._paths)

    def _send(self, folder: str, name: str) -> FileResponse:
        path = self._paths.get((folder, name))
        if path is None:
            raise RequestError("this file was deleted, because its page was closed", status=404)
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix])


class SharedFolder:
    """A folder of files, which exist until it is closed.

    Args:
        paths: the table of all addresses, to which it adds its own.
    """

    def __init__(self, paths: dict[tuple[str, str], Path]) -> None:
        self._paths, self._token = paths, secrets.token_urlsafe(16)
        self.path = Path(tempfile.mkdtemp(prefix="page-"))

    def share(self, path: Path, name: str) -> str:
        """Return the address of a file in the folder.

        Args:
            path: the file.
            name: name under which the browser saves it.
        """
        self._paths[self._token, name] = path
        return f"/files/{self._token}/{quote(name)}"

    def write(self, name: str, content: bytes) -> str:
        """Write a file, and return its address."""
        suffix = Path(name).suffix
        path = self.path / f"{len(list(self.path.iterdir()))}{suffix}"
        path.write_bytes(content)
        return self.share(path, name)

    def close(self) -> None:
        """Remove the files."""
        for key in [key for key in self._paths if key[0] == self._token]:
            del self._paths[key]
        shutil.rmtree(self.path, ignore_errors=True)


def download_link(text: str, address: str) -> None:
    """Add a button that saves a file."""
    ui.button(text, icon="download").props(f'flat no-caps dense href="{address}" download=""')
