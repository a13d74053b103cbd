"""What an agent samples from. Sources are found by entry point (`palier.sources`), never imported by name."""
