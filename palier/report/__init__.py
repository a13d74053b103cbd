"""The vibration analysis report of a machine: what is read, what it says, and how it is drawn and written."""
