"""Postgres: tables, migrations, transactional writers, outbox, leases and the read queries.

Every function takes an open connection (`tx`) and leaves the transaction to its caller, because what must
be written together is the caller's to know. Not here: what is right to write (the pure rooms decide).
"""
