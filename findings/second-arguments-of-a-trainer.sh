#!/bin/sh
# transformers 5.24.0, accelerate 1.15.0: making a second TrainingArguments takes the state from an Accelerator that is at
# work, which then no longer knows its device.
#
# expected: an object of settings changes nothing outside itself, so that a callback may make one to see what is usual.
# seen:
#   transformers 5.24.0 accelerate 1.15.0 torch 2.13.0
#   before: DistributedType.NO on cpu
#   after a second TrainingArguments: device AttributeError, distributed_type AttributeError, is_main_process True
#
# A training in which a callback does it ends with that error at its next step.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${PIP_OPTIONS:-} \
  transformers==5.24.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from accelerate import Accelerator
from transformers import TrainingArguments

print(*(f"{name} {version(name).partition('+')[0]}" for name in ("transformers", "accelerate", "torch")))
TrainingArguments("first", use_cpu=True, report_to=[])
accelerator = Accelerator(cpu=True)
print("before:", accelerator.distributed_type, "on", accelerator.device)
TrainingArguments("second", use_cpu=True, report_to=[])
seen = []
for name in ("device", "distributed_type", "is_main_process"):
    try:
        seen.append(f"{name} {getattr(accelerator, name)}")
    except AttributeError:
        seen.append(f"{name} AttributeError")
print("after a second TrainingArguments:", ", ".join(seen))
sys.exit(seen != ["device AttributeError", "distributed_type AttributeError", "is_main_process True"])
PYTHON
