"""State detection: from features and limits to a state."""
