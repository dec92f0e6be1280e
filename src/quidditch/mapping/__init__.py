"""Pure: field types, dynamic mapping, analysis and index settings."""
