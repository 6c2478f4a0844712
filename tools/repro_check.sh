#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds a trusted image twice, from two directories with names of different length, and compares
# the files and their measurements. usage: repro_check.sh SOURCE_ROOT TARGET NACRE
set -eu
source=$(realpath "$1")
target=$2
nacre=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
first=$work/a
second=$work/another/directory/of/a/longer/name
for dir in "$first" "$second"; do
    mkdir -p "$dir/src"
    # The tree as it stands, committed or not; nothing that was built.
    tar -C "$source" -cf - --exclude='./build*' --exclude=./.git . | tar -C "$dir/src" -xf -
    meson setup "$dir/out" "$dir/src" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    ninja -C "$dir/out" "$target" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
done
"$source/tools/image_check.py" "$first/out/$target" --same-as "$second/out/$target"
one=$("$nacre" measure "$first/out/$target")
two=$("$nacre" measure "$second/out/$target")
if [ "$one" != "$two" ]; then
    echo "repro_check: $target measures to $one and $two" >&2
    exit 1
fi
echo "$target: identical from two directories, MRENCLAVE $one"
