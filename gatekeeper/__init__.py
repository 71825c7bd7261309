"""Gatekeeper: a self-hosted server for gated model releases."""

__version__ = "0.1.0"
