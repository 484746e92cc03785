"""Run the `audioseq` command as `python -m audioseq`."""

import sys

from audioseq.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
