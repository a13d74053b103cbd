"""Pure numerics: arrays in, arrays out. No I/O, clock, logging, thread or global random state."""
