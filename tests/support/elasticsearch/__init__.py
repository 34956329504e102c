"""A real Elasticsearch for tests: one node, its jars from Maven Central, on the Java of a wheel."""
