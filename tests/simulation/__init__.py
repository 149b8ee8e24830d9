"""The real engine in a virtual world: clock, network, users, crashes and pauses out of one seed.

Several engines run on one trio loop over one real SQLite database in memory. Nothing of the engine is patched: it gets
its world as an argument. A history is a few minutes of virtual time; afterwards the promise is checked on it.
"""
