"""What the keyboard does, page by page; `?` and /glossary show it, assets/ does it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Key:
    """caps: as they are written on the keys; does: one sentence; page: its path, '' on every page."""

    caps: str
    does: str
    page: str = ""

    @property
    def where(self) -> str:
        """The page as the navigation calls it, '' for all of them."""
        return self.page.strip("/").capitalize() or "Dashboard" if self.page else ""


KEYS = (
    Key("?", "This help: the keys and the words of the page."),
    Key("/", "Search: classes, failure modes, slices, image numbers, runs, notes, words; ↑ ↓ and Enter choose."),
    Key("Esc", "Closes what lies on top: a menu, the sample, the second cell."),
    Key("M", "On the tile of an image, selects the images most like it."),
    Key("← →", "In an open sample, the one before and the one after."),
    Key("← → ↑ ↓", "In a matrix shown as a table, from cell to cell; Enter chooses.", "/"),
    Key("Ctrl + Enter", "Adds a class or a cell to those that are chosen; Ctrl and a click do the same.", "/"),
    Key("C", "On a cell or a top confusion, holds it against the chosen one; Shift and a click do the same.", "/"),
    Key("← → ↑ ↓", "On the canvas, moves the mark by a pixel, with Shift by five.", "/prediction"),
    Key("Space", "On the canvas, paints for as long as it is held.", "/prediction"),
    Key("Ctrl + Z", "Takes back the last change of the picture; Ctrl and Y make it again.", "/prediction"),
    Key("Esc", "In a field of the form, puts its help away.", "/training"),
    Key("Enter", "In a slice's name, keeps the name; Esc leaves it as it was.", "/slices"),
    Key("Space", "Keeps the label of the image in front.", "/review"),
    Key("0 – 9", "Gives the image in front the label of that number.", "/review"),
    Key("X", "Leaves the image in front out.", "/review"),
    Key("U", "Takes back what was decided last.", "/review"),
    Key("S", "Chooses the image in front, or lets go of it.", "/review"),
    Key("A", "Chooses all images in sight; Esc lets go of them.", "/review"),
    Key("← →", "The image before and the one after; on a tile also ↑ and ↓.", "/review"),
    Key("A", "Accepts the chosen pictures.", "/feedback"),
    Key("R", "Rejects the chosen pictures.", "/feedback"),
    Key("N", "Marks the chosen pictures as new.", "/feedback"),
    Key("Delete", "Deletes the chosen pictures; U brings them back.", "/feedback"),
    Key("← → ↑ ↓", "On a picture, from one to the next; Esc lets go of all.", "/feedback"),
)
