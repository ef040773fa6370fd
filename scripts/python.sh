#!/usr/bin/env bash
# Makes the Python environment in which tests and benchmarks run scikit-learn, onnxruntime and, on request, PyTorch.
# Idempotent, in any order: it installs only what is missing or has changed in the requirements.
#
#   scripts/python.sh FOLDER          scikit-learn and onnxruntime, in the virtual environment FOLDER; its Python is FOLDER/bin/python
#   scripts/python.sh FOLDER torch    PyTorch, too, which examples/pytorch needs
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'python: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# `install NAME WHAT DOWNLOAD DISK MODULES REQUIREMENTS...` installs the requirements unless FOLDER/NAME says that it did, and
# checks that the modules can be imported.
install() {
    local made_from=$folder/$1 what=$2 download=$3 disk=$4 modules=$5
    shift 5
    cmp --silent <(cat "$@") "$made_from" && return
    say "installing $what into $folder (a download of $download on Linux)"
    python3 -m venv "$folder" || die "python3 cannot create virtual environments: on Debian, run 'apt-get install python3-venv'"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps "${@/#/--requirement=}" \
        || die "pip could not install $what: make sure that it can reach PyPI and has $disk of free disk space, then run this again"
    "$folder/bin/python" -c "import $modules" || die "$what does not start: remove $folder, then run this again"
    cat "$@" > "$made_from"
    say "ready"
}

case $# in
    1) ;;
    2) [ "$2" = torch ] ;;
    *) false ;;
esac || die "usage: scripts/python.sh FOLDER [torch]"
folder=$1
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || die "please install Python 3.11 or newer, as python3"

small=(examples/sklearn/requirements.txt tests/requirements.txt)
install requirements.txt "scikit-learn and onnxruntime" "90 MB" "1 GB" "safetensors.numpy, sklearn.neural_network, onnxruntime" "${small[@]}"
# These are installed with the others, so that pip refuses versions that do not fit together.
if [ "$#" -eq 2 ]; then
    install requirements-torch.txt PyTorch "2.4 GB" "7 GB" "torch, safetensors.torch" "${small[@]}" examples/pytorch/requirements.txt
fi
