"""What pages, API, hooks and the PI index read; nothing here writes."""
