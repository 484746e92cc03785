"""Training speed of the recurrent stack with exact lengths, compared with `torch.nn.LSTM` packed and dense.

    python -m tests.benchmarks.bench_recurrent --threads 2

The dense LSTM ignores the lengths and gives an upper bound. The three implementations take turns, so that
other work on the machine affects all of them equally; the ratios are medians over the rounds. Targets on a
CPU: at least 3.5 times as fast as packed, at least 0.95 times as fast as dense.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from audioseq.nn import RecurrentStack
from tests.benchmarks import report

FRAME_SECONDS = 0.04
OURS = "audioseq, with lengths"


def main() -> None:
    """Parse the options, measure, write the results."""
    parser = report.parser("recurrent", __doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="use autocast to bfloat16")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--frames", type=int, default=250, help="length of the longest sequence")
    parser.add_argument(
        "--shortest",
        type=float,
        default=0.8,
        help="length of the shortest sequence as a share of the longest",
    )
    parser.add_argument("--input", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=256, help="units in each direction")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds, after one to warm up")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    device = torch.device(options.device)
    lengths = torch.linspace(options.frames, options.shortest * options.frames, options.batch).round().long()
    x = torch.randn(options.batch, options.frames, options.input, device=device)
    sizes = (options.input, options.hidden, options.layers)
    stack = RecurrentStack("lstm", *sizes, bidirectional=True).to(device)
    lstm = nn.LSTM(*sizes, bidirectional=True, batch_first=True).to(device)
    device_lengths = lengths.to(device)  # pack_padded_sequence needs lengths on the CPU

    def packed() -> Tensor:
        y, _ = lstm(pack_padded_sequence(x, lengths, batch_first=True))
        return pad_packed_sequence(y, batch_first=True)[0]

    implementations: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
        OURS: (stack, lambda: stack(x, device_lengths)[0]),
        "torch.nn.LSTM, packed": (lstm, packed),
        "torch.nn.LSTM, dense, lengths ignored": (lstm, lambda: lstm(x)[0]),
    }
    times: dict[str, list[float]] = {name: [] for name in implementations}
    for _ in range(1 + options.rounds):
        for name, (model, forward) in implementations.items():
            times[name].append(seconds(model, forward, device, options.bf16))

    audio = lengths.sum().item() * FRAME_SECONDS
    ours = times[OURS][1:]
    rows: list[report.Row] = []
    for name, measured in times.items():
        ratios = [theirs / mine for theirs, mine in zip(measured[1:], ours, strict=True)]
        rows.append(
            {
                "implementation": name,
                "seconds of audio per second": round(audio / statistics.median(measured[1:])),
                "speed of audioseq relative to it": round(statistics.median(ratios), 2),
            }
        )
        report.show(rows[-1])
    title = (
        f"Training {options.layers} bidirectional layers of {options.hidden} units on {options.batch} "
        f"sequences of {lengths[-1]} to {lengths[0]} frames, {options.threads} threads, {device}, "
        f"{'bfloat16' if options.bf16 else 'float32'}"
    )
    report.write(options.output, {title: rows})


def seconds(model: nn.Module, forward: Callable[[], Tensor], device: torch.device, bf16: bool) -> float:
    """Return the seconds of one forward and backward pass."""
    model.zero_grad()
    synchronise(device)
    start = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        y = forward()
    torch.autograd.backward(y.float().square().mean())
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
