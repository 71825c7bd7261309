"""Uploads in parts, before they are published: sending them, and the worker that verifies them.

Not here: making a revision of them (services/publishing/additions), where parts lie (ports).
"""
