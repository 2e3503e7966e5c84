#!/bin/sh
# Hugging Face datasets 5.2.0: a data set with an Image column, written by to_csv.
#
# expected: each picture is base64 or a path, or to_csv refuses; what it wrote is a data set of pictures again once
#   load_dataset("csv") has read it and its column is cast to Image.
# seen:
#   datasets 5.2.0
#   to_csv writes Python's own notation: "{'bytes': b'\x89P
#   read again the column is large_string, and cast to Image it raises FileNotFoundError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} datasets==5.2.0 pillow==13.0.0 pandas==3.0.5 pyarrow==26.0.1
cat > "$folder/table.py" <<'PYTHON'
import os
import sys
from importlib.metadata import version

folder = sys.argv[1]
os.environ |= {"HF_HOME": folder, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

from datasets import ClassLabel, Dataset, Features, Image, load_dataset
from PIL import Image as Picture

pictures = [Picture.new("RGB", (9, 7), (40 * i, 120, 200)) for i in range(4)]
features = Features({"image": Image(), "label": ClassLabel(names=["even", "odd"])})
made = Dataset.from_dict({"image": pictures, "label": [0, 1, 0, 1]}, features=features)
print("datasets", version("datasets"))

made.to_csv(f"{folder}/some.csv")
with open(f"{folder}/some.csv") as file:
    written = file.read().splitlines()[1][:18]
print("to_csv writes Python's own notation:", written)

again = load_dataset("csv", data_files=f"{folder}/some.csv", split="train")
column = again.features["image"].dtype
try:
    again.cast_column("image", Image())[0]["image"].load()
    came = "a picture"
except Exception as error:
    came = type(error).__name__
print(f"read again the column is {column}, and cast to Image it raises {came}")

sys.stdout.flush()
os._exit(not written.startswith("\"{'bytes': b'") or "string" not in column or came == "a picture")
PYTHON
"$folder/venv/bin/python" "$folder/table.py" "$folder"
