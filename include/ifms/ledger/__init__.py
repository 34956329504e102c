"""Every row that is written, one transaction per change of state."""
