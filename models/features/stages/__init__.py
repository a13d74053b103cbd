"""What the extractor is made of: the passes over the samples, and a stage for each group of features."""
