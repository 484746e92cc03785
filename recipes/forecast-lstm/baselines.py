"""The forecasts of the textbook: ARMA means, constant or GARCH variance, Student-t noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import expit
from scores import Forecast
from walk import Predict

LEAST_DOF, MOST_DOF = 2.05, 200.0


class Parameters(NamedTuple):
    """Of r_t = μ + φ (r_{t-1} - μ) + θ e_{t-1} + e_t, where e_t has the variance

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
class Textbook:
    """What of the family is free; the rest is zero, and nothing free is a random walk with drift.

    Args:
        ar, ma: φ and θ, so AR(1), MA(1) or ARMA(1, 1).
        smoothing: φ = 1 and θ = a - 1: exponential smoothing of the values with the weight a.
        garch: α and β (Bollerslev 1986).
        leverage: γ (Glosten, Jagannathan & Runkle 1993).
    """

    ar: bool = False
    ma: bool = False
    smoothing: bool = False
    garch: bool = False
    leverage: bool = False

    def __call__(self, values: np.ndarray) -> Predict:
        """Fit by maximum likelihood."""
        parameters = self.estimate(values)
        return lambda seen: filtered(parameters, seen)[1:]

    def estimate(self, values: np.ndarray) -> Parameters:
        """Return the parameters of the largest likelihood."""
        mean, deviation = float(values.mean()), float(values.std())
        start = [0.0, 0.0, 1.8]  # μ, v and ν
        start += [0.0] * (self.ar + self.ma) + [2.0] * self.smoothing
        start += [3.0, -2.0] * self.garch + [0.0] * self.leverage

        def free(x: np.ndarray) -> Parameters:
            rest = iter(x[3:])
            phi = np.tanh(next(rest)) if self.ar else float(self.smoothing)
            theta = np.tanh(next(rest)) if self.ma else 0.0
            theta = -expit(next(rest)) if self.smoothing else theta
            lasting = expit(next(rest)) if self.garch else 0.0
            news = lasting * expit(next(rest)) if self.garch else 0.0
            lopsided = expit(next(rest)) if self.leverage else 0.0
            return Parameters(
                mean + deviation * x[0], phi, theta, deviation**2 * np.exp(2 * x[1]),
                news * (1 - lopsided), 2 * news * lopsided, lasting - news,
                LEAST_DOF + (MOST_DOF - LEAST_DOF) * expit(x[2] - 5),
            )  # fmt: skip

        def loss(x: np.ndarray) -> float:
            return float(filtered(free(x), values)[:-1].nll(values).mean())

        found = minimize(loss, start, method="L-BFGS-B", bounds=[(-9, 9)] * len(start))
        return free(found.x)


def filtered(parameters: Parameters, values: np.ndarray) -> Forecast:
    """Return the forecasts of N values and of the one after, each from the values before it `[N + 1]`."""
    mu, phi, theta, v, alpha, gamma, beta, nu = parameters
    x = values - mu
    noise = lfilter([1.0], [1.0, theta], x - phi * np.r_[0.0, x[:-1]])
    location = mu + np.r_[0.0, phi * x + theta * noise]
    news = v * (1 - alpha - gamma / 2 - beta) + (alpha + gamma * (noise < 0)) * noise**2
    variance = np.r_[v, lfilter([1.0], [1.0, -beta], news, zi=[beta * v])[0]]
    return Forecast(location, np.sqrt(variance * (nu - 2) / nu), np.full(len(location), nu))


@dataclass(frozen=True)
class AutoRegression:
    """AR(p) by least squares, with the p of the lowest AIC (Akaike 1974), and constant Student-t noise.

    Args:
        most: largest p that is tried.
    """

    most: int = 24

    def __call__(self, values: np.ndarray) -> Predict:
        """Fit, choosing p on the values that all candidates can forecast."""
        goal = values[self.most :]
        criteria = []
        for order in range(1, self.most + 1):
            design = lagged(values, order)[self.most - order : -1]
            rest = goal - design @ np.linalg.lstsq(design, goal)[0]
            criteria.append(len(goal) * np.log(rest @ rest / len(goal)) + 2 * (order + 1))
        order = 1 + int(np.argmin(criteria))
        design, goal = lagged(values, order)[:-1], values[order:]
        weights = np.linalg.lstsq(design, goal)[0]
        noise = Textbook().estimate(goal - design @ weights)

        def predict(seen: np.ndarray) -> Forecast:
            location = np.r_[np.full(order - 1, np.nan), lagged(seen, order) @ weights]
            scale = np.sqrt(noise.v * (noise.nu - 2) / noise.nu)
            return Forecast(location, np.full(len(seen), scale), np.full(len(seen), noise.nu))

        return predict


def lagged(values: np.ndarray, order: int) -> np.ndarray:
    """Return a row of 1 and the last values, for each time that has so many `[N - order + 1, 1 + order]`."""
    windows = np.lib.stride_tricks.sliding_window_view(values, order)
    return np.hstack([np.ones((len(windows), 1)), windows])
