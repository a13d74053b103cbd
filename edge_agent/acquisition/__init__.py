"""The acquisition plan: which of a sensor's endless samples become blocks, and when."""
