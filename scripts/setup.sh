#!/bin/sh
# Install the packages of apt-packages.txt that this machine lacks; says so first.
# usage: scripts/setup.sh [test]     test: also those marked "test:"
set -eu
list=$(dirname "$0")/../apt-packages.txt
what=${1:-build}
missing=
for package in $(grep -v '^#' "$list" | { [ "$what" = test ] && cat || grep -v '# test:'; } |
    sed 's/#.*//'); do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "Installing Debian packages:$missing"
if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086  # a list of words
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
