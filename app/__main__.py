"""`python -m app`, and the console script `ivr`."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, even while it is still being loaded."""
    try:
        from app.commands.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
