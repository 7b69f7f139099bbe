"""``python -m skep.cli``: the command line, where no script is installed."""

from skep.cli.main import main

if __name__ == "__main__":
    main()
