"""The outbox outwards: payment status to the platform, SMS and the PI index to Kafka, calls to Elasticsearch."""
