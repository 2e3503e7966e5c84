"""Data sets, models, training, evaluation and the artifacts they leave behind. Never names the dashboard."""

import os

# pyarrow reads this when it is loaded. Its own allocator keeps what it freed: 30 MB after a table of 250,000 rows
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# torch reads this with its first tensor. What a layer makes of a batch of photographs is fetched from the system each
# time and given back; in large pages that takes half the time: 64 pictures of 96 pixels learn at 175 a second, not 92
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
