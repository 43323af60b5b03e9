"""Versions: what callers hear, kept in the store as it was published.

a site's folder -> folder (look, hashes, faults_in) -> publishing -> the store -> stored (a folder of its own) -> loaded
"""
