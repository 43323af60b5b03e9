"""Typed variables in a sentence -> words a synthesiser can speak. Pure."""
