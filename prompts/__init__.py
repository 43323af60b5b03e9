"""What callers hear: texts, the reading of numbers, dates and money, synthesis, and the audio cache."""
