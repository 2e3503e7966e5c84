"""The Dash app: pages read runs through doors, figures draw what they read."""
