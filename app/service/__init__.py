"""What `ivr up` starts and stops, and in which order."""
