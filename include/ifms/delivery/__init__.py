"""What others hear through Kafka: the words of an SMS, the index's document, and the way to a broker."""
