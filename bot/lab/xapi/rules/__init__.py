"""What the simulated XAPI does: one module per kind of call, each with its table of calls."""
