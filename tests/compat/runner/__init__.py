"""Runs OpenSearch's own REST tests (Maven artifact org.opensearch:rest-api-spec) against any node that speaks the API."""
