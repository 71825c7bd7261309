"""The verbs of the product: load, decide, record, answer; one transaction an act.

Every verb takes the `House` (what it works with) and the `Context` (who, when); see ports.
"""
