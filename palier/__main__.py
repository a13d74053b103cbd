"""`python -P -m palier`: the command `palier`, where its script is not on PATH."""

from palier.cli import main

if __name__ == "__main__":
    main()
