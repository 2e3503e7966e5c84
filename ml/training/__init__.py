"""From a data set and a config to trained weights."""
