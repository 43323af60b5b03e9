"""`python -m ivr`, and the console script `ivr`."""

from ivr.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
