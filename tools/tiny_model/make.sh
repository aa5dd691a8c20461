#!/bin/sh
# Make headrace-tiny from its recipe, and copy the GGUF file to a path: make.sh FILE [PYTHON] [STEPS]
set -eu
out=$1
python=${2:-python3.11}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build/tiny-model
case $out in /*) ;; *) out=$PWD/$out ;; esac

cd "$root"
mkdir -p "$build"
"$root/tools/make_venv.sh" "$python" "$build/venv"
"$build/venv/bin/python" -m pip --disable-pip-version-check install --quiet -r tools/tiny_model/requirements.txt

run() {
    tool=$1
    shift
    "$build/venv/bin/python" -m "tools.tiny_model.$tool" "$@"
}

export PYTHONHASHSEED=0
run tokenizer "$build/tokenizer.json"
run train --tokenizer "$build/tokenizer.json" --out "$build/model.safetensors" ${3:+--steps "$3"}
run convert --tokenizer "$build/tokenizer.json" --weights "$build/model.safetensors" --out "$build/headrace-tiny.gguf"
run check --gguf "$build/headrace-tiny.gguf" --tokenizer "$build/tokenizer.json" --weights "$build/model.safetensors" \
    --python "$root/.venv/bin/python"
mkdir -p "$(dirname "$out")"
cp "$build/headrace-tiny.gguf" "$out"
sha256sum "$out"
