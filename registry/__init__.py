"""The Document Registry actor: what is known, and who may find it."""
