"""The built-in page: a plant overview for a wall screen and a page for each machine.

It reads the historian and plant.toml, and nothing else; it decides nothing and writes nothing.

    historian --reader.py--> snapshot.py --overview.py--> Tile, Overview --live.py, pages.py--> HTML, events
                                         --series.py--> trend, spectrum, values --api.py--> JSON
"""
