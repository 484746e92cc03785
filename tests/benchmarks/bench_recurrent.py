"""Training throughput of the recurrent stack with lengths, against packed and against dense `torch.nn.LSTM`.

    python tests/benchmarks/bench_recurrent.py --threads 2

The dense one ignores the lengths: it is the bound. The three take turns, so that whatever else the machine
does hits all alike, and the ratios are medians over the rounds. Targets on a CPU: at least 3.5 times packed,
at least 0.95 times dense.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from audioseq.nn import RecurrentStack

FRAME_SECONDS = 0.04


def main() -> None:
    """Parse the options, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="under autocast to bfloat16")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--frames", type=int, default=250, help="of the longest sequence")
    parser.add_argument("--shortest", type=float, default=0.8, help="share of it that the shortest has")
    parser.add_argument("--input", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=256, help="in each direction")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7, help="after one to warm up")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    device = torch.device(options.device)
    lengths = torch.linspace(options.frames, options.shortest * options.frames, options.batch).round().long()
    x = torch.randn(options.batch, options.frames, options.input, device=device)
    sizes = (options.input, options.hidden, options.layers)
    stack = RecurrentStack("lstm", *sizes, bidirectional=True).to(device)
    lstm = nn.LSTM(*sizes, bidirectional=True, batch_first=True).to(device)
    lengths_there = lengths.to(device)  # packing wants them on the CPU

    def packed() -> Tensor:
        y, _ = lstm(pack_padded_sequence(x, lengths, batch_first=True))
        return pad_packed_sequence(y, batch_first=True)[0]

    ways: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
        "audioseq with lengths": (stack, lambda: stack(x, lengths_there)[0]),
        "nn.LSTM packed": (lstm, packed),
        "nn.LSTM dense, lengths ignored": (lstm, lambda: lstm(x)[0]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + options.rounds):
        for name, (model, forward) in ways.items():
            times[name].append(seconds(model, forward, device, options.bf16))

    audio = lengths.sum().item() * FRAME_SECONDS
    ours, *others = (measured[1:] for measured in times.values())
    print(
        f"{options.layers} x {options.hidden} BiLSTM, {options.batch} x {lengths[-1]}..{lengths[0]} frames, "
        f"{options.threads} threads, {device}, {'bf16' if options.bf16 else 'fp32'}"
    )
    for name, measured in zip(ways, (ours, *others), strict=True):
        ratio = statistics.median(theirs / mine for theirs, mine in zip(measured, ours, strict=True))
        print(
            f"{name:32} {audio / statistics.median(measured):8.0f} audio-s/s   audioseq / this {ratio:5.2f}"
        )


def seconds(model: nn.Module, forward: Callable[[], Tensor], device: torch.device, bf16: bool) -> float:
    """Time one forward and backward pass."""
    model.zero_grad()
    synchronise(device)
    start = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        y = forward()
    torch.autograd.backward(y.float().square().mean())
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
