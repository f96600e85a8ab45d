"""`python -m punie_cli` is the `punie` command."""

from punie_cli.cli import main

if __name__ == "__main__":
    main()
