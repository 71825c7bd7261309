"""What is true and what is allowed: pure functions and frozen values, standard library only."""
