"""The one contract between ml and the dashboard: declared in schema, written by writer, read by reader. Never torch."""
