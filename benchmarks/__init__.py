"""What Palier costs, beside references of the same run: `palier bench`.

The one package that may import every other. An absolute time says more about the machine than about Palier,
so nothing here is compared with a figure of another day: each is a ratio to something bare that was timed in
the same process, in turns with it.
"""
