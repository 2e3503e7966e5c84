"""Tables of what people do and ask, in the database."""
