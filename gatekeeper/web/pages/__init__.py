"""The HTML dialect: one module a blueprint, each with its folder in templates/."""
