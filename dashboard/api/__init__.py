"""HTTP for programs: one file a route."""
