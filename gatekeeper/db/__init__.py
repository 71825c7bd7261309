"""Storage and nothing but storage: tables, the one writer, readers that return domain values."""
