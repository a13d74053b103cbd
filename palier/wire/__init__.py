"""What travels between gateways and host: Sparkplug B 3.0, and Palier's own vocabulary over it."""
