"""The revisions of the database, run by Alembic.

A new one is a file in `versions`, its name at the end of `store.revisions.REVISIONS`, and the same change in
`store.schema`: tests hold the three together. There is no way down: the way back is the copy that is made before.
"""
