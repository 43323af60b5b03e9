"""What a caller hears when no engine answers: a script that Asterisk starts by itself, in a process of its own."""
