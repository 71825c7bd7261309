"""Who answers: our own server, and the anchors that a user would pick instead."""
