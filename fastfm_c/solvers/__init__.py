"""Solvers: what learns the parameters of a model, batch after batch."""
