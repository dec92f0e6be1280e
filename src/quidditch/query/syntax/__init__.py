"""The two query languages for people, query_string and simple_query_string: text to calls of a builder."""
