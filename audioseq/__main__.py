"""`python -m audioseq`: the same as the `audioseq` command."""

import sys

from audioseq.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
