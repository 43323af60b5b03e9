"""Answers calls: flows, the FastAGI engine, the journal, the site and its Asterisk."""
