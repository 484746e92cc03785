"""Download the sentence pairs of Multi30k, English and German, and unpack them to text files."""

from __future__ import annotations

import argparse
import gzip
import zlib
from pathlib import Path

from audioseq.download import fetch
from audioseq.errors import DataError
from audioseq.files import reading, write_bytes
from audioseq.recipe import run_script

URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
SHA256 = {
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        help="folder with train.en.gz and the other files (default: download them)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/multi30k"), help="folder to write to")
    parser.add_argument("--url", default=URL, help="base URL of the download")
    args = parser.parse_args()
    for name, digits in SHA256.items():
        packed = args.out / f"{name}.gz"
        if args.source:
            packed = args.source / packed.name
        else:
            fetch(f"{args.url}/{packed.name}", packed, f"sha256:{digits}")
        count = unpack(packed, args.out / name)
        print(f"{args.out / name}: {count} sentences")


def unpack(path: Path, target: Path) -> int:
    with reading(path, DataError, "name its folder with --from"):
        content = path.read_bytes()
    try:
        text = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is damaged ({error}); download it again") from None
    write_bytes(target, text, make_folder=True)
    return text.count(b"\n")


if __name__ == "__main__":
    run_script(main)
