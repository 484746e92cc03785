"""The shared layers: recurrent cells and stacks that honour lengths, and the small modules around them."""

from audioseq.nn.dropout import LockedDropout
from audioseq.nn.heads import FrameHead
from audioseq.nn.inspect import gradient_norms
from audioseq.nn.masking import length_mask, reverse_within
from audioseq.nn.recurrent import CellName, Recurrent, RecurrentStack, State
from audioseq.nn.subsample import Subsample

__all__ = [
    "CellName",
    "FrameHead",
    "LockedDropout",
    "Recurrent",
    "RecurrentStack",
    "State",
    "Subsample",
    "gradient_norms",
    "length_mask",
    "reverse_within",
]
