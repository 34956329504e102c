"""One module per report, and what writes them into files."""
