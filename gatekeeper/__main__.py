"""`python -m gatekeeper` is the `gatekeeper` command."""

from gatekeeper.cli import main

main()
