"""What disks hold, and the format of exported guests: the XVA archive as a real server writes and reads it."""
