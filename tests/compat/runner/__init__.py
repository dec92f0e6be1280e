"""Runs OpenSearch's own REST tests (Maven: org.opensearch:rest-api-spec) against any node that speaks the API."""
