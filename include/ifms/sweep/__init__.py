"""What every sweep has in common: its run, its scope, asking for statuses, submitting what moves money."""
