"""The machine underneath: folders, database, files that survive a crash, the processor. Knows nothing of pictures."""
