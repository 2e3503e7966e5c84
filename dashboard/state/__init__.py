"""What the person is looking at: values, and their text in the URL."""
