"""Drivers of sensors that sample by themselves, and the source that makes blocks of what they give."""
