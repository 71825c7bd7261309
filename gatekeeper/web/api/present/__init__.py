"""From what the services return to the shapes of the API; no rule lives here."""
