"""Whether a host can join a pool: every rule of XAPI judged at once, with the values of both sides."""
