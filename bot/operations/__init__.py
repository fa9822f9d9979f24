"""What can be done to a pool: one module each, facts in, plan out; `ports` says all they may use."""
