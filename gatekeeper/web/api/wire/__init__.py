"""The shapes of the API, as pydantic models: what may come in and what goes out, nothing else.

`bodies` and `queries` refuse unknown keys, wrong types, control characters and anything over its
limit before a service is called; `answers`, `cases` and `problems` are what a client may rely on.
"""
