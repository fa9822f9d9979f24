"""Jobs: taken in, decided on, run, and found again after a crash."""
