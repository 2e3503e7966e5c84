"""`python -m ml users`: accounts of the people who may come in, their roles, and tokens for programs."""

import argparse
import getpass
import sys
import time

ROLE = "look, review, train or own; each may do what those before it may"


def add(commands: argparse._SubParsersAction) -> None:
    users = commands.add_parser("users", help="accounts of the people who may come in, and tokens for programs")
    acts = users.add_subparsers(required=True, metavar="ACT")
    new = acts.add_parser("add", help="add an account; asks for the password")
    new.add_argument("name")
    new.add_argument("--role", default="look", help=ROLE)
    new.add_argument("--no-password", action="store_true", help="for somebody whom a proxy names (FASHION_USER_HEADER)")
    new.set_defaults(act=_add)
    acts.add_parser("list", help="every account and its role").set_defaults(act=_list)
    gone = acts.add_parser("remove", help="remove an account and its tokens, at once")
    gone.add_argument("name")
    gone.set_defaults(act=lambda accounts, options: print(f"{accounts.remove(options.name).name} is removed."))
    word = acts.add_parser("password", help="give an account another password; asks for it")
    word.add_argument("name")
    word.set_defaults(act=_password)
    for one in (new, word):
        one.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    role = acts.add_parser("role", help="give an account another role")
    role.add_argument("name")
    role.add_argument("role", help=ROLE)
    role.set_defaults(act=_role)
    token = acts.add_parser("token", help="make a token for programs; it is shown once")
    token.add_argument("name")
    token.add_argument("--label", default="", help="what it is for")
    token.set_defaults(act=_token)
    acts.add_parser("tokens", help="every token that holds").set_defaults(act=_tokens)
    revoke = acts.add_parser("revoke", help="take a token back, at once")
    revoke.add_argument("number", type=int)
    revoke.set_defaults(act=_revoke)
    users.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    from ml.people.accounts import Accounts
    from ml.system import paths

    options.act(Accounts(paths.home_dir()), options)
    return 0


def _add(accounts, options: argparse.Namespace) -> None:
    made = accounts.add(options.name, options.role, None if options.no_password else _asked(options))
    print(f"{made.name} has the role {made.role}.")


def _list(accounts, options: argparse.Namespace) -> None:
    for one in accounts.listing():
        print(f"{one.name}\t{one.role}\t{'password' if one.guarded else 'no password'}\t{_day(one.created)}")


def _password(accounts, options: argparse.Namespace) -> None:
    print(f"{accounts.set_password(options.name, _asked(options)).name} has another password.")


def _role(accounts, options: argparse.Namespace) -> None:
    account = accounts.set_role(options.name, options.role)
    print(f"{account.name} has the role {account.role}.")


def _token(accounts, options: argparse.Namespace) -> None:
    print(accounts.make_token(options.name, options.label))
    print("Keep it now: only its digest is stored. Send it as Authorization: Bearer …", file=sys.stderr)


def _tokens(accounts, options: argparse.Namespace) -> None:
    for one in accounts.tokens():
        print(f"{one.number}\t{one.name}\t{one.label}\t{_day(one.created)}")


def _revoke(accounts, options: argparse.Namespace) -> None:
    accounts.revoke(options.number)
    print(f"Token {options.number} holds no more.")


def _asked(options: argparse.Namespace) -> str:
    """Raises ValueError where the second time differs."""
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise ValueError("The two passwords differ.")
    return password


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
