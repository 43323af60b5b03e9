"""Call flows, pure: file -> model with every fault and its line, keypad matching, and the machine."""
