"""Networks whose weights are loaded: a limit on their parameters, and no initial values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

MIN_PARAMETERS = 4096
"""A tensor counts for at least this many parameters, so that the number of layers is limited too."""
_DRAW = (torch.Tensor.normal_, torch.Tensor.uniform_)


class ParameterLimit(TorchFunctionMode):
    """Context in which a network with too many parameters cannot be built.

    The config in a damaged model file may have any sizes. Layers allocate their parameters by `torch.empty`,
    which raises a RuntimeError before it exceeds the limit. Initial values are not drawn, as the weights are
    loaded afterwards: the decompositions of orthogonal initialisation take longer than everything else.

    Args:
        limit: number of parameters.
    Example:
        >>> with ParameterLimit(100_000):
        ...     small = torch.nn.Linear(90, 100)
        ...     large = torch.nn.Linear(10_000, 10_000)
        Traceback (most recent call last):
        RuntimeError: the network has more than 100000 parameters
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = self._left = limit

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, unless it draws initial values; count what `torch.empty` allocates."""
        if func in _DRAW:
            return args[0]
        if func is torch.linalg.qr:
            return args[0], args[0]
        if func is torch.empty:
            sizes = args[0] if isinstance(args[0], tuple | list) else args
            self._left -= max(math.prod(sizes), MIN_PARAMETERS)
            if self._left < 0:
                raise RuntimeError(f"the network has more than {self._limit} parameters")
        return func(*args, **(kwargs or {}))
