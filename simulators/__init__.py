"""Simulators: machines of simple physics, their faults and sensors, and the demonstration.

A room of the house: it imports `palier` and `models`, and no other room. A simulated machine reaches an agent
as a source, through the entry point `palier.sources`.
"""
