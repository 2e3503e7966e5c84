"""Where files of this user and of this checkout, or of the installed package, live."""

from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from ml.settings import Storage

ROOT = Path(__file__).resolve().parents[2]  # where `python -m ml` finds its modules
_INSTALLED = ROOT / "fashion_forward" / "artifacts"  # setup.py puts it there; a checkout has it at its top
ARTIFACTS = _INSTALLED if _INSTALLED.is_dir() else ROOT / "artifacts"
ASSETS = ARTIFACTS.with_name("assets")


def home_dir() -> Path:
    """The folder of user-made runs, data sets and the database: FASHION_HOME, or the platform's user data folder."""
    return Storage.read().home or user_data_path("fashion-forward")


def cache_dir() -> Path:
    """The platform's cache folder of this app: downloads that can be fetched again."""
    return user_cache_path("fashion-forward")


def made_dir() -> Path:
    """The folder of what can be worked out again: FASHION_CACHE, or within `cache_dir`."""
    return Storage.read().made or cache_dir() / "made"
