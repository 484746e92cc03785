"""Fuzzing: mutated files of all kinds are read as the commands read them.

    python -m tests.fuzz --count 20000
    python -m tests.fuzz --kind midi --index 1234 [--save FILE]

Reports, for each kind of file, how many cases gave a result, how many were refused with an error of the
package, and how many are finds: see `worker`. The first form writes the results; the second form runs one
case again and prints its outcome.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks import report
from tests.fuzz.worker import FIND, RESULT, Case, Outcome, run


def plan(count: int, seed: int = 0, kinds: Sequence[str] = ()) -> list[Case]:
    """Return about `count` cases, divided among the kinds by their shares."""
    from tests.fuzz.kinds import KINDS

    chosen = {name: kind for name, kind in KINDS.items() if name in (kinds or KINDS) and kind.find_seeds()}
    total = sum(kind.share for kind in chosen.values())
    return [
        Case(name, number, seed)
        for name, kind in chosen.items()
        for number in range(round(count * kind.share / total))
    ]


def tabulate(outcomes: Sequence[Outcome]) -> list[report.Row]:
    """Return a row for each kind, and their sum."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.case.kind].append(outcome)
    return [_row(kind, group) for kind, group in {**groups, "all": list(outcomes)}.items()]


def _row(kind: str, outcomes: Sequence[Outcome]) -> report.Row:
    counts = Counter(outcome.status for outcome in outcomes)
    refusals = sorted(name for name in counts if name not in (RESULT, FIND))
    return {
        "files": kind,
        "cases": len(outcomes),
        "results": counts[RESULT],
        "refusals": ", ".join(f"{name} {counts[name]}" for name in refusals),
        "finds": counts[FIND],
        "slowest case (s)": round(max(outcome.seconds for outcome in outcomes), 2),
        "peak memory (MB)": round(max(outcome.peak_bytes for outcome in outcomes) / 1e6),
    }


def _shown(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """Print finds at once, and the progress."""
    for done, outcome in enumerate(outcomes, 1):
        if outcome.status == FIND:
            case = outcome.case
            print(
                f"find: --seed {case.seed} --kind {case.kind} --index {case.number}\n{outcome.message}",
                flush=True,
            )
        if done % 1000 == 0:
            print(f"{done} cases", file=sys.stderr, flush=True)
        yield outcome


def main() -> None:
    """Parse the options, and run the cases."""
    parser = report.parser("fuzz", __doc__)
    parser.add_argument("--count", type=int, default=20_000, help="number of cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the mutations (default: %(default)s)")
    parser.add_argument("--kind", help="kind of file, such as wav; all if not given")
    parser.add_argument("--index", type=int, help="run only this case, and print its outcome")
    parser.add_argument("--save", type=Path, help="with --index: write the mutated file")
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else []
    if options.index is None:
        outcomes = list(_shown(run(plan(options.count, options.seed, kinds))))
        rows = tabulate(outcomes)
        for row in rows:
            report.show(row)
        report.write(options.output, {f"{len(outcomes)} mutated files, seed {options.seed}": rows})
        return
    case = Case(options.kind, options.index, options.seed)
    if options.save is not None:
        options.save.write_bytes(case.make()[1])
    for outcome in run([case]):
        print(f"{outcome.status}: {outcome.message}\n{outcome.seconds:.2f} s, {outcome.peak_bytes >> 20} MiB")


if __name__ == "__main__":
    main()
