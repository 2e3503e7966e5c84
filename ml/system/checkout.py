"""The checkout of this program that is running, where it is one."""

import subprocess

from ml.system.paths import ROOT


def git_commit() -> str:
    """The checkout's commit, with + when files differ from it; empty outside a checkout."""
    if not (ROOT / ".git").exists():  # installed, perhaps within a checkout of something else
        return ""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
