"""The check of a pool: everything that is wrong with it, the worst first, each with what to do."""
