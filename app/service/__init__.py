"""What `ivr up` runs: its parts, who watches over them, and the order of their end. Prints nothing."""
