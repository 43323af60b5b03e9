"""Find or fetch an Asterisk, render its configuration, start it, watch it, stop it."""
