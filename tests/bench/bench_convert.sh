#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sealing an image beside what else one does with images: median wall and CPU seconds of N runs each,
# interleaved. The image is an OCI layout (oci:DIR:TAG); --make DIR builds the python3-flask one with
# mmdebstrap first.
set -eu
nacre=${NACRE:-build/src/cli/nacre}
runs=${RUNS:-5}
if [ "${1:-}" = --make ]; then
    mmdebstrap --quiet --variant=minbase --include=python3,python3-flask bookworm "$2.tar"
    umoci init --layout "$2"
    umoci new --image "$2:latest"
    umoci raw add-layer --image "$2:latest" "$2.tar"
    set -- "oci:$2:latest"
fi
[ $# -eq 1 ] || { echo "usage: $0 oci:DIR:TAG | --make DIR" >&2; exit 2; }
image=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# one NAME COMMAND...: appends "wall user+sys" to a file of that name
one() {
    local name=$1
    shift
    ( TIMEFORMAT='%R %U %S'; time "$@" >/dev/null 2>"$work/err" ) 2>"$work/time" ||
        { cat "$work/err" >&2; exit 1; }
    awk '{print $1, $2 + $3}' "$work/time" >>"$work/$name.runs"
}

"$nacre" seal --from "$image" --key-out "$work/key" "$work/sealed" >/dev/null 2>&1
"$nacre" unseal --key "$work/key" --out "$work/tree" "$work/sealed" 2>/dev/null
for _ in $(seq "$runs"); do
    one nacre-seal "$nacre" seal --force --from "$image" --key-out "$work/key" "$work/sealed"
    one nacre-verify "$nacre" verify --key "$work/key" "$work/sealed"
    rm -rf "$work/copy"
    command -v skopeo >/dev/null && one skopeo-copy skopeo copy -q "$image" "oci:$work/copy:x"
    command -v mkfs.erofs >/dev/null && one mkfs.erofs mkfs.erofs "$work/plain" "$work/tree"
done
printf '%-14s %8s %8s\n' '' 'wall s' 'cpu s'
for f in "$work"/*.runs; do
    wall=$(cut -d' ' -f1 "$f" | sort -n | sed -n "$(((runs + 1) / 2))p")
    cpu=$(cut -d' ' -f2 "$f" | sort -n | sed -n "$(((runs + 1) / 2))p")
    printf '%-14s %8s %8s\n' "$(basename "$f" .runs)" "$wall" "$cpu"
done
