"""The lab: a second, independent Asterisk that plays the mobile operator, its subscribers and shoppers."""
