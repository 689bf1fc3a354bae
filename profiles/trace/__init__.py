"""The wire log for people: what was sent, what was answered, and which rule was broken where."""
