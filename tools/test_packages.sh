#!/bin/sh
# Install the programs that some system tests need, where that is possible without asking; otherwise say which.
set -u

missing=
for program in curl strace; do
    command -v $program >/dev/null || missing="$missing $program"
done
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
# Debian keeps nginx in /usr/sbin, which is not on every PATH
PATH="$PATH:/usr/sbin" command -v nginx >/dev/null || missing="$missing nginx-light"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -qq update >/dev/null 2>&1
    # shellcheck disable=SC2086 # a list of words
    if DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $missing >/dev/null 2>&1; then
        exit 0
    fi
fi
echo "Not here:$missing. The tests that need them are skipped."
