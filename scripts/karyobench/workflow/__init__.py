"""What the Snakefile asks: which files, which targets, which slice of the configuration."""
