"""`python -m ml restore`: a backup, verified and laid back."""

import argparse
import sys
import time
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    restore = commands.add_parser("restore", help="verify a backup and lay it back; the app must not run")
    restore.add_argument("file", type=Path)
    restore.add_argument("--check", action="store_true", help="verify every file in it and change nothing")
    restore.add_argument("--replace", action="store_true", help="move what is there aside first")
    restore.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.publishing import backup
    from ml.system import paths

    aside = None
    try:
        if options.check:
            contents = backup.verify(options.file)
        else:
            contents, aside = backup.restore(options.file, paths.home_dir(), replace=options.replace)
    except OSError as error:
        print(f"{options.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(contents.made))
    done = "is whole" if options.check else f"was laid into {paths.home_dir()}"
    print(f"The backup of {made} {done}: {len(contents.files):,} files, {contents.bytes / 1e6:.1f} MB")
    if aside:
        print(f"What was there before is in {aside}")
    if contents.database != backup.DATABASE:
        print(f"The database is not in it: lay it back with {contents.database}'s own tool (psql).", file=sys.stderr)
    return 0
