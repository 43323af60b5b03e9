"""Each makes the tables of one release out of those before it; `people.store.upgrade` runs them.

A module has `revision`, the number that its name begins with; `serves`, the oldest release that may go on using the
tables that it leaves; and `upgrade`. It stands for ever as it was released.
"""
