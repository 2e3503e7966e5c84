"""Networks that were made elsewhere: a file in, tried in a process of its own; a run out that can be asked.

Predictions without a network: ml.recording. Data sets: ml.data.importing.
"""
