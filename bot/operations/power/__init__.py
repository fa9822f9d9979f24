"""What starting, stopping and rebooting a guest have in common: checks, plan, and the look at what came of it."""
