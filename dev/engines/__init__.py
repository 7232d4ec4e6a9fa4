"""Runs MySQL, Kafka, Elasticsearch and OpenSearch as plain processes, without Docker."""
