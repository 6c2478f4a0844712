#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything a machine can check without building: formatting, layering, forbidden calls, headers
# that compile alone, scripts, spelling, licences. Prints each breach; exit 1 when there was one.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0

note() {
    echo "lint: $*"
    bad=$((bad + 1))
}

c_files() {
    git ls-files -- 'src/*.c' 'src/*.h' 'tests/*.c' 'tests/*.h' ':!:*.tbl.h' | xargs -r grep -L '^\.macro'
}

format() {
    local out
    out=$(c_files | xargs -r -P "$(nproc)" -n 16 clang-format --dry-run -Werror 2>&1 |
        grep -E 'error: code should be' | cut -d: -f1 | sort -u)
    [ -z "$out" ] || note "not in house style (run 'make format'):" "$out"
}

layering() {
    python3 tools/check_layering.py || note "layering (tools/layers.json, ARCHITECTURE.md)"
}

# forbid NAME PATTERN PATHS... : a breach unless the file stands in tools/lint-allow.txt with its reason
forbid() {
    local name=$1 pattern=$2 hits file
    shift 2
    hits=$(git grep -nE "$pattern" -- "$@" | grep -vE '^[^:]+:[0-9]+: *(\*|/\*|//)')
    while IFS= read -r hit; do
        [ -n "$hit" ] || continue
        file=${hit%%:*}
        grep -qE "^$name +$file( |$)" tools/lint-allow.txt || note "$name: $hit"
    done <<<"$hits"
}

headers() {
    local h
    while IFS= read -r h; do
        printf '#include "%s"\n' "${h#src/}" |
            gcc -std=gnu2x -D_GNU_SOURCE -Isrc -Wall -Wextra -fsyntax-only -x c - 2>/tmp/lint.$$ ||
            note "$h does not compile alone: $(head -3 /tmp/lint.$$)"
    done < <(git ls-files -- 'src/*.h' ':!:*.tbl.h' | xargs grep -L '^\.macro')
    rm -f /tmp/lint.$$
}

licences() {
    local f
    while IFS= read -r f; do
        head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || note "$f lacks its SPDX line"
    done < <(git ls-files -- 'src/*.[chS]' 'tests/*.[chS]' 'tools/*' '*.lds' ':!:*.json' ':!:*.txt')
}

modes() {
    local out
    out=$(git ls-files -s -- 'src/*.[chS]' 'docs/*' '*.md' | grep -v '^100644' | cut -f2)
    [ -z "$out" ] || note "executable bit on sources:" "$out"
}

sizes() {
    local out
    out=$(git ls-files -- 'src/*.[chS]' 'tests/*.[chS]' | xargs -r wc -l |
        awk '$2 != "total" && $1 > 1500 {print $2 " (" $1 " lines)"}')
    [ -z "$out" ] || note "files over 1500 lines:" "$out"
}

scripts() {
    local f
    while IFS= read -r f; do
        if head -1 "$f" | grep -qE '^#!.*(sh|bash)$'; then
            shellcheck -S warning "$f" || note "shellcheck $f"
        elif head -1 "$f" | grep -q python3; then
            python3 -m py_compile "$f" || note "$f does not compile"
        fi
    done < <(git ls-files -- 'tools/*' '.ci/*' 'tests/*.sh' 'tests/*.py')
}

spelling() {
    git ls-files -- '*.md' 'src/*.[ch]' 'docs/*' | xargs -r codespell -q 3 --ignore-words tools/codespell-ignore.txt ||
        note "spelling (false alarms go to tools/codespell-ignore.txt)"
}

# Nothing of a developer's machine belongs in the tree.
traces() {
    local out
    out=$(git grep -nIE '/(home|Users)/[a-z0-9_]+/' -- ':!tools/lint.sh')
    [ -z "$out" ] || note "paths of somebody's machine:" "$out"
}

format
layering
forbid memcmp '\bmemcmp\(' 'src/attest' 'src/libos' 'src/seal' 'src/softsgx' 'src/cas' 'src/agent'
forbid unsafe-string '\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok)\(' 'src/*.[ch]' 'tests/*.[ch]'
forbid return-minus-one 'return -1;' src
forbid shell-out '\bsystem\(' src
headers
licences
modes
sizes
scripts
spelling
traces
if [ "$bad" -ne 0 ]; then
    echo "lint: $bad breaches"
    exit 1
fi
echo "lint: clean"
