"""Findings for people: the commands `xdsi findings` and `xdsi correct`, and the page `/findings`."""
