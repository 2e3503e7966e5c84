"""The first screen: a page as it stands after its first callbacks, drawn on the server and answered in one response."""
