"""What happened on each call, kept while it happens. Nothing that a call brings stops it; nothing is lost in silence.

calls       the lines of one call
journal     what calls see: write a line, keep an opt-out, how much lies in files
committing  the thread: groups of lines into the database; what it does not take into files
lines       pure: a line, its JSON, what can be stored, what was lost
ahead       what is not in the database yet: in memory, and in a file in case the process is killed
spill       the file for lines that the database can't take now
reserve     the file whose place on the disk is there beforehand, for opt-outs
"""

from ivr.journal.calls import CallJournal, Leg
from ivr.journal.journal import Journal

__all__ = ["CallJournal", "Journal", "Leg"]
