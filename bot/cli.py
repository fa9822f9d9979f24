"""The command line."""

import click


@click.group()
def main() -> None:
    """Run xenbot, its lab, or read its store."""
