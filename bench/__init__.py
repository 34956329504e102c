"""How fast the sweeps are, as ratios to what the treasury's own latency allows: `make bench`."""
