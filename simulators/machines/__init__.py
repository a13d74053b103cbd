"""Machines of simple physics: what turns, strikes, meshes, flows and warms, and what an accelerometer feels.

Every function is vectorised over the samples of a block, takes its random generator as an argument, and
imports numpy alone: the simulated source runs inside the agent, whose memory is counted.
"""
