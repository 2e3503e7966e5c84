"""Numbers and words of a page, made from data and services; no Dash."""
