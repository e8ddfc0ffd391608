"""`argos`, also as `python -m argos_cli`."""

from __future__ import annotations

from argos_cli.app import app


def main() -> None:
    """Run the command; ends the process with its exit code."""
    app()


if __name__ == "__main__":
    main()
