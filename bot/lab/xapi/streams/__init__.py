"""The handlers of a host that are no calls: guests and disks go out and come in over plain HTTP."""
