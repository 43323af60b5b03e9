"""What a caller hears when no engine answers: prepared files that the dialplan plays by itself, and a script, a process
of its own, that notes who wants to be called back.
"""
