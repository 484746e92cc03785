"""A place to choose or drop a file, which is uploaded at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import events, ui

HEADER = """
<div class="drop">
  <q-btn outline no-caps color="primary" icon="upload_file" label="{label}" @click="props.pickFiles">
    <q-uploader-add-trigger />
  </q-btn>
  <span class="hint">or drop it here</span>
  <q-linear-progress v-if="props.isUploading" :value="props.uploadProgress" aria-label="Upload" />
</div>
"""


def uploader(
    label: str,
    accept: str,
    max_bytes: int,
    receive: Callable[[events.UploadEventArguments], Awaitable[None]],
    reject: Callable[[], None],
) -> ui.upload:
    """Add a place to choose or drop a file.

    Args:
        label: text of its button.
        accept: types of files, as in the HTML attribute.
        max_bytes: maximum size of a file.
        receive: called with each file.
        reject: called instead for a file of another type, or that is too large.
    """
    place = ui.upload(auto_upload=True, max_file_size=max_bytes, on_upload=receive, on_rejected=reject)
    place.classes("uploader").props(f'flat bordered accept="{accept}"')
    place.add_slot("header", HEADER.format(label=label))
    place.add_slot("list", "<span />")
    return place
