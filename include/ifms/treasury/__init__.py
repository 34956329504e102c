"""The treasury client: one session for all threads, encrypted calls, and a typed outcome for each."""
