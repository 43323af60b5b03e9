"""Copies of a site: taken while it runs, put back when it is down.

sealed    a file of chunks, each with its proof; with a key, encrypted
archive   named pieces in such a file, there as a whole or not at all
backup    a site into an archive
unpacking an archive beside a site
restore   an archive into a site
telling   what people are told of it afterwards
"""
