"""One Asterisk's world: the manager link, the dialler, Asterisk's own records, recovery from them."""
