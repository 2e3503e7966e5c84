"""The verbs of the command line, one file each: `add` puts its options in, its function returns the exit status."""
