"""Sentences of ml.importing and ml.recording as the page says them: what is a flag there is a field here."""

import re

# what a flag of the command line is called on the page
FIELDS = {
    "--layout": "Axes", "--range": "Range", "--mean": "Mean", "--std": "Deviation", "--channels": "Colours first",
    "--output": "Output", "--outputs": "Numbers", "--values": "Numbers", "--classes": "Order of classes",
    "--match-names": "Names alike", "--split": "Split of rows", "--repeated": "Rows of one picture", "--epoch": "Epoch",
    "--column": "Columns", "--class": "Names of classes", "--architecture": "Architecture", "--input-size": "Size",
    "--frame": "Frame", "--resampling": "Resampling", "--share": "Share",
    "--inverted": "Light and dark", "--transposed": "Rows and columns", "--doctor": "Use this",
}  # fmt: skip
RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\s*:? (?:[Ss]ay |or )?--class '[^']*=[^']*'(?:,? or --class '[^']*=?' to leave it out)?", ": choose below"),
        (r"(?:: choose below)+", ": choose below"),
        (r" Say so, or all at once: --match-names", ""),
        (r" --match-names takes those that differ in case and spaces alone, or --classes [^ ]* names the data set's in "
         r"the order of the outputs", " choose below which is which"),
        (r"--classes [^ ]* names the data set's in the order of the outputs", "choose below which is which"),
        (r"--output NAME", "Output"),
        (r"--architecture (timm:\w+)", r"Architecture, as “\1”"),
        (r"--input-size (\d+)x(\d+)", r"Size, as “\1, \2”"),
        (r"--column ([a-z]+)=(?:NAME)?", r"the column of \1"),
        (r"--(repeated|split|outputs|values) ([a-z-]+)", r"“\2”"),
        (r"--channels bgr", "Colours first"),
        (r"\b([a-z]+)=NAME", r"\1"),
    )
)  # fmt: skip
FLAG = re.compile(r"--[a-z][a-z-]+(?:=\S+)?")


def on_screen(words: str) -> str:
    """A sentence without flags of the command line."""
    for pattern, instead in RULES:
        words = pattern.sub(instead, words)
    return FLAG.sub(lambda found: FIELDS.get(found[0].partition("=")[0], found[0]), words)
