"""The tests: `cast` who, `builders` what, `rooms` how deep; one directory a room (house.md 9)."""
