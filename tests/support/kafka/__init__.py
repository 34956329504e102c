"""A real Kafka: one node, its jars from Maven Central, on the Java of a wheel."""
