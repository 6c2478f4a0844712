# SPDX-License-Identifier: Apache-2.0
# bash completion for nacre. Verbs and options are asked of the program itself, so that this file
# never falls behind it.
_nacre() {
    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(nacre --help 2>/dev/null | awk '/^Verbs:/ {v = 1; next} v && /^  [a-z]/ {print $1}')
    elif [[ $cur == -* ]]; then
        words=$(nacre "$verb" --help 2>/dev/null | grep -oE '^  (-., )? *--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+')
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -F _nacre nacre

_sconify_image() {
    local cur=${COMP_WORDS[COMP_CWORD]} words
    if [[ $cur == -* ]]; then
        words=$(sconify_image --help 2>/dev/null | grep -oE '^  (-., )? *--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -o filenames -F _sconify_image sconify_image
