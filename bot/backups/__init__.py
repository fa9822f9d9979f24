"""The archive of backups."""
