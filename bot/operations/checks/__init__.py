"""What a migration is judged by: one function per check, each from facts to `Check`s, none of them raising."""
