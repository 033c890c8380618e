"""A bounded look into an artifact, whatever it holds: what it is, how it begins, what is inside."""
