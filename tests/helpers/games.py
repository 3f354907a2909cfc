"""Shapley values and interactions by their definition: over all coalitions of players."""

import itertools
import math

import numpy as np


def coalition_values(score, x, R, player, n_players):
    """The worth of each coalition: mean score of R where its players have the values of x."""
    worth = {}
    for size in range(n_players + 1):
        for coalition in itertools.combinations(range(n_players), size):
            z = np.where(np.isin(player, coalition), x, R)
            worth[frozenset(coalition)] = np.mean(score(z), axis=0)
    return worth


def shapley_values(worth, n_players):
    n = n_players
    values = []
    for i in range(n):
        others, total = [j for j in range(n) if j != i], 0
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for S in map(frozenset, itertools.combinations(others, size)):
                total = total + weight * (worth[S | {i}] - worth[S])
        values.append(total)
    return np.stack(values, axis=-1)


def shapley_interactions(worth, n_players):
    n = n_players
    pairs = np.zeros((*np.shape(worth[frozenset()]), n, n))
    for i, j in itertools.combinations(range(n), 2):
        others, total = [q for q in range(n) if q not in (i, j)], 0
        for size in range(n - 1):
            weight = math.factorial(size) * math.factorial(n - size - 2) / math.factorial(n - 1)
            for S in map(frozenset, itertools.combinations(others, size)):
                total = total + weight * (worth[S | {i, j}] - worth[S | {i}] - worth[S | {j}] + worth[S])
        pairs[..., i, j] = pairs[..., j, i] = total
    return pairs
