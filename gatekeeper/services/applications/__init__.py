"""Applications: drafts and submission (drafts), what staff do (decisions), what is shown (reading).

Not here: the machine and its guards (domain/applications), what a grant is (services/grants).
"""
