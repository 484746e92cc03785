"""Shared neural network layers: length-aware recurrent layers and stacks, dropout, subsampling, heads."""

from audioseq.nn.dropout import LockedDropout
from audioseq.nn.heads import FrameHead, TiedKeyHead
from audioseq.nn.inspect import gradient_norms
from audioseq.nn.masking import length_mask, reverse_sequence
from audioseq.nn.recurrent import CellName, Recurrent, RecurrentStack, State, States
from audioseq.nn.subsample import Subsample

__all__ = [
    "CellName", "FrameHead", "LockedDropout", "Recurrent", "RecurrentStack", "State", "States",
    "Subsample", "TiedKeyHead", "gradient_norms", "length_mask", "reverse_sequence",
]  # fmt: skip
