"""Pictures before a network sees them: bytes to pixels, pixels to a form. Never torch."""
