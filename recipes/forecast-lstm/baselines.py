"""Classic models: ARMA mean, constant or GARCH variance, Student-t noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import expit
from scores import Forecast
from walk import Predict

MIN_DOF, MAX_DOF = 2.05, 200.0
"""Bounds of the degrees of freedom; the variance is finite above 2."""


class Parameters(NamedTuple):
    """Parameters of r_t = μ + φ (r_{t-1} - μ) + θ e_{t-1} + e_t, where e_t has the variance

        h_t = v (1 - α - γ / 2 - β) + (α + γ [e_{t-1} < 0]) e²_{t-1} + β h_{t-1}

    and a Student-t distribution with ν degrees of freedom.
    """

    mu: float
    phi: float
    theta: float
    v: float
    alpha: float
    gamma: float
    beta: float
    nu: float


@dataclass(frozen=True)
class ArmaGarch:
    """A model of the ARMA-GARCH family; without options, a random walk with drift.

    Parameters that no option makes free are zero.

    Args:
        ar, ma: φ and θ are free: AR(1), MA(1) or ARMA(1, 1).
        smoothing: φ = 1 and θ = a - 1: exponential smoothing of the values with weight a.
        garch: α and β are free (Bollerslev 1986).
        leverage: γ is free (Glosten, Jagannathan & Runkle 1993).
    """

    ar: bool = False
    ma: bool = False
    smoothing: bool = False
    garch: bool = False
    leverage: bool = False

    def __call__(self, values: np.ndarray) -> Predict:
        """Fit the parameters to values by maximum likelihood; return the forecasting function."""
        parameters = self.estimate(values)
        return lambda observed: filtered(parameters, observed)[1:]

    def estimate(self, values: np.ndarray) -> Parameters:
        """Return the maximum likelihood estimate of the parameters."""
        mean, deviation = float(values.mean()), float(values.std())
        start = [0.0, 0.0, 1.8]  # μ, v and ν
        start += [0.0] * (self.ar + self.ma) + [2.0] * self.smoothing
        start += [3.0, -2.0] * self.garch + [0.0] * self.leverage

        def unpack(x: np.ndarray) -> Parameters:
            rest = iter(x[3:])
            phi = np.tanh(next(rest)) if self.ar else float(self.smoothing)
            theta = np.tanh(next(rest)) if self.ma else 0.0
            theta = -expit(next(rest)) if self.smoothing else theta
            persistence = expit(next(rest)) if self.garch else 0.0
            reaction = persistence * expit(next(rest)) if self.garch else 0.0
            asymmetry = expit(next(rest)) if self.leverage else 0.0
            return Parameters(
                mean + deviation * x[0], phi, theta, deviation**2 * np.exp(2 * x[1]),
                reaction * (1 - asymmetry), 2 * reaction * asymmetry, persistence - reaction,
                MIN_DOF + (MAX_DOF - MIN_DOF) * expit(x[2] - 5),
            )  # fmt: skip

        def loss(x: np.ndarray) -> float:
            return float(filtered(unpack(x), values)[:-1].nll(values).mean())

        result = minimize(loss, start, method="L-BFGS-B", bounds=[(-9, 9)] * len(start))
        return unpack(result.x)


def filtered(parameters: Parameters, values: np.ndarray) -> Forecast:
    """Forecast N values and the one after them, each from the values before it `[N + 1]`."""
    mu, phi, theta, v, alpha, gamma, beta, nu = parameters
    x = values - mu
    noise = lfilter([1.0], [1.0, theta], x - phi * np.r_[0.0, x[:-1]])
    location = mu + np.r_[0.0, phi * x + theta * noise]
    innovation = v * (1 - alpha - gamma / 2 - beta) + (alpha + gamma * (noise < 0)) * noise**2
    variance = np.r_[v, lfilter([1.0], [1.0, -beta], innovation, zi=[beta * v])[0]]
    return Forecast(location, np.sqrt(variance * (nu - 2) / nu), np.full(len(location), nu))


@dataclass(frozen=True)
class AutoRegression:
    """AR(p) fitted by least squares, p selected by AIC (Akaike 1974), with constant Student-t noise.

    Args:
        max_order: largest p to consider.
    """

    max_order: int = 24

    def __call__(self, values: np.ndarray) -> Predict:
        """Fit to values; p is selected on the values that all orders can forecast."""
        target = values[self.max_order :]
        criteria = []
        for order in range(1, self.max_order + 1):
            design = lagged(values, order)[self.max_order - order : -1]
            residual = target - design @ np.linalg.lstsq(design, target)[0]
            criteria.append(len(target) * np.log(residual @ residual / len(target)) + 2 * (order + 1))
        order = 1 + int(np.argmin(criteria))
        design, target = lagged(values, order)[:-1], values[order:]
        weights = np.linalg.lstsq(design, target)[0]
        noise = ArmaGarch().estimate(target - design @ weights)

        def predict(observed: np.ndarray) -> Forecast:
            location = np.r_[np.full(order - 1, np.nan), lagged(observed, order) @ weights]
            scale = np.sqrt(noise.v * (noise.nu - 2) / noise.nu)
            return Forecast(location, np.full(len(observed), scale), np.full(len(observed), noise.nu))

        return predict


def lagged(values: np.ndarray, order: int) -> np.ndarray:
    """Return the design matrix: 1 and the last `order` values at each step `[N - order + 1, 1 + order]`."""
    windows = np.lib.stride_tricks.sliding_window_view(values, order)
    return np.hstack([np.ones((len(windows), 1)), windows])
