"""Who people are: phone numbers, contacts, the do-not-call list, and the store that holds all of it."""
