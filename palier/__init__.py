"""The vocabulary that every room shares. Importing it imports nothing heavy: a gateway runs on it."""
