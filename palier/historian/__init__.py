"""What remembers: series, records, waveforms."""
