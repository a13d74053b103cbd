"""Training: what models are fitted on, fitted, calibrated, tried on the past, and watched for drift. Pure."""
