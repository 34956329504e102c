"""The log of calls to the treasury: searched, decrypted, and as documents of Elasticsearch."""
