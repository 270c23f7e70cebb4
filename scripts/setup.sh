#!/bin/sh
# Install the packages of apt-packages.txt that this machine lacks; says so first.
# usage: scripts/setup.sh [torch|test]     torch: also those marked "torch:"; test: all of them
set -eu
list=$(dirname "$0")/../apt-packages.txt
case ${1:-build} in
build) leave_out='# \(test\|torch\):' ;;
torch) leave_out='# test:' ;;
test) leave_out='^$' ;;
*) echo "no such part: $1" >&2; exit 2 ;;
esac
missing=
for package in $(grep -v -e '^#' -e "$leave_out" "$list" | sed 's/#.*//'); do
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
