"""Sub-commands that need only `palier` and `models`; those of the rooms stand in their rooms."""
