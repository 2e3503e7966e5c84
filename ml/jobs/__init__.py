"""Trainings as durable rows: who asked for what, who works on it, how far it is. Only `trainer` loads torch."""
