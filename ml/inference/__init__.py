"""A network asked about pictures, whatever computes it."""
