"""READ: runs and data sets as typed arrays, cached."""
