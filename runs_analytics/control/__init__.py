"""The control store: everything that must not be lost or raced, in SQLite or PostgreSQL.

`store.ControlStore` opens it. Functions that change something take a connection of a writer's job
(`store.write(job)`); functions that only look take one of `store.read()`.
"""
