#!/usr/bin/env bash
# Makes the Python environment in which tests and benchmarks run examples/pytorch, examples/sklearn and onnxruntime.
# Idempotent: it does nothing while the requirements are the ones it was made from, and else installs what has changed.
#
#   scripts/python.sh FOLDER    the virtual environment is FOLDER; its Python is FOLDER/bin/python
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'python: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

[ "$#" -eq 1 ] || die "usage: scripts/python.sh FOLDER"
folder=$1
requirements=(examples/pytorch/requirements.txt examples/sklearn/requirements.txt tests/requirements.txt)
made_from=$folder/requirements.txt

cmp --silent <(cat "${requirements[@]}") "$made_from" && exit

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || die "please install Python 3.11 or newer, as python3"
say "installing PyTorch, scikit-learn and onnxruntime into $folder (a download of up to 2.5 GB on Linux, 4 GB on disk)"
python3 -m venv "$folder" || die "python3 cannot make virtual environments: on Debian, 'apt-get install python3-venv'"
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps "${requirements[@]/#/--requirement=}" \
    || die "pip could not install ${requirements[*]}: it needs PyPI and 7 GB of free disk while it works"
"$folder/bin/python" -c 'import torch, safetensors.torch, sklearn.neural_network, onnxruntime' \
    || die "PyTorch, scikit-learn or onnxruntime does not start; remove $folder and run this again"
cat "${requirements[@]}" > "$made_from"
say "ready"
