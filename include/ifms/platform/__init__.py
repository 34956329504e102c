"""DIGIT's services: searches with their limits, payments, payees, accounts, master data."""
