"""Counts and probabilities in, numbers with intervals out: numpy and pandas alone, never torch."""
