"""Names beside an axis: what is too long for its margin is cut, and stands whole where one points at it."""


def cut(name: str, characters: int) -> str:
    """The name, or as much of it as fits into so many characters with the sign that it goes on."""
    return name if len(name) <= characters else f"{name[: characters - 1].rstrip()}…"
