"""Speed as ratios: each line measures one thing that the server does and, in the same run, the floor under it.

A floor is the least that any server could do for the same answer: the same bytes from memory or from disk, or the same
bytes hashed and synced. A ratio carries from machine to machine, a rate alone does not.
"""
