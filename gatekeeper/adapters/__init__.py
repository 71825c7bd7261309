"""The outside world: each file satisfies one port of services/ports."""
