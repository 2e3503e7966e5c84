"""The Dash app: pages read runs through services, figures draw what they read."""

import ml  # noqa: F401  before pandas and pyarrow, which it sets up
