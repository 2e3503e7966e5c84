"""What Hugging Face's files say beside the tables they describe: which of these count, and what classes are called."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ml.data.importing.arrow_tables import named
from ml.data.importing.sources import Entry, Source
from ml.images.decoding import Refusal

INFO, STATE = "dataset_info.json", "state.json"
DESCRIPTIONS = (INFO, STATE, "dataset_dict.json", "dataset_infos.json")


@dataclass
class Saved:
    """What `save_to_disk` wrote. names: column → names of classes by id; files: of each folder with a state, those that
    hold its rows; what else lies there are results that were kept aside."""

    names: dict[str, Sequence[str]] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)

    def counts(self, entry: Entry) -> bool:
        """Whether a table is to be read."""
        folder, _, name = entry.name.rpartition("/")
        return name not in DESCRIPTIONS and (folder not in self.files or name in self.files[folder])


def saved(source: Source) -> Saved:
    """Raises ValueError, in words, for rows that are kept as a choice among others."""
    found = Saved()
    for entry in source.entries:
        folder, _, name = entry.name.rpartition("/")
        if name == INFO:
            for column, names in named(_object(entry).get("features")).items():
                found.names.setdefault(column, names)
        elif name == STATE and isinstance(files := _object(entry).get("_data_files"), list):
            found.files[folder] = {str(one.get("filename")) for one in files if isinstance(one, dict)}
            if _object(entry).get("_indices_data_files"):
                raise ValueError(
                    f"{entry.name}: its rows are a choice among those that lie there; save it anew, after "
                    "flatten_indices()"
                )
    return found


def _object(entry: Entry) -> dict[str, Any]:
    try:
        value = json.loads(entry.content())
    except (OSError, Refusal, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
