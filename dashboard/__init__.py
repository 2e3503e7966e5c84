"""The Dash app: pages read runs through services, figures draw what they read."""
