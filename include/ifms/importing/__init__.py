"""Taking over from the Java adapter's database."""
