"""Predictions that were made elsewhere: read from a file, matched to a data set's pictures, published as a run."""
