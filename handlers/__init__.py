"""One file per slash command."""
