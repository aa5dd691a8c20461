#!/bin/sh
# Make a virtual environment, or leave a working one as it is: make_venv.sh PYTHON FOLDER
set -eu
python=$1
venv=$2

if "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    exit 0
fi

if ! command -v "$python" >/dev/null; then
    echo "Headrace needs Python 3.11 or newer, and there is no $python here; name one: make PYTHON=/path/to/python3" >&2
    exit 1
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Headrace needs Python 3.11 or newer; $python is $version. Name another: make PYTHON=python3.12" >&2
    exit 1
fi

# Debian and Ubuntu ship Python without these two, in a package of their own
complete() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null
}
if ! complete && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing python$version-venv, which $python lacks"
    apt-get -qq update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "python$version-venv" >/dev/null 2>&1 || true
fi
if ! complete; then
    echo "$python cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python$version-venv" >&2
    exit 1
fi

rm -rf "$venv"
"$python" -m venv "$venv"
