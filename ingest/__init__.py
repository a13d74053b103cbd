"""The host: reads what gateways send, scores it, stores it durably, and only then acknowledges it."""
