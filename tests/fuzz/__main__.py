"""Fuzzing: mutated files of all kinds are read as the commands read them.

    python -m tests.fuzz --count 20000
    python -m tests.fuzz --kind midi --index 1234 [--save FILE]

Reports, for each kind of file, how many cases gave a result, how many were refused with an error of the
package, and how many are finds: see `worker`. The first form writes the results; the second form runs one
case again and prints its outcome.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import report
from tests.fuzz.worker import FIND, RESULT, Case, Outcome, run

WRITE_CASES = 500
"""The results are written after this many cases, so that a long run can be stopped."""


def plan(count: int, seed: int = 0, kinds: Sequence[str] = ()) -> list[Case]:
    """Return about `count` cases, divided among the kinds by their shares."""
    from tests.fuzz.kinds import KINDS

    chosen = {name: kind for name, kind in KINDS.items() if name in (kinds or KINDS) and kind.find_seeds()}
    total = sum(kind.share for kind in chosen.values())
    numbers = {name: round(count * kind.share / total) for name, kind in chosen.items()}
    cases = [Case(name, number, seed) for name, size in numbers.items() for number in range(size)]
    return sorted(cases, key=lambda case: case.number / numbers[case.kind])  # the kinds take turns


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


def _options(case: Case) -> str:
    return f"--kind {case.kind} --index {case.number} --seed {case.seed}"


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
        outcomes: list[Outcome] = []
        cases = plan(options.count, options.seed, kinds)
        for outcome in run(cases):
            outcomes.append(outcome)
            if outcome.status == FIND:
                print(f"find: {_options(outcome.case)}\n{outcome.message}", flush=True)
            if len(outcomes) % WRITE_CASES == 0 or len(outcomes) == len(cases):
                title = f"{len(outcomes)} mutated files, seed {options.seed}"
                report.write(options.output, {title: tabulate(outcomes)})
        return
    case = Case(options.kind, options.index, options.seed)
    if options.save is not None:
        options.save.write_bytes(case.make()[1])
    for outcome in run([case]):
        print(f"{outcome.status}: {outcome.message}\n{outcome.seconds:.2f} s, {outcome.peak_bytes >> 20} MiB")


if __name__ == "__main__":
    main()
