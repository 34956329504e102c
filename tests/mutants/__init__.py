"""`make mutants`: faults planted one by one in the code that moves money, each of which the tests must notice."""
