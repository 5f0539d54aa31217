#!/usr/bin/env bash
# Make the virtual environment that every other script runs in, or find that it is there already.
#
#   source run_scripts/setup_env.sh      # then `python` and `unimo` are those of the environment
#
# PYTHON names the interpreter (3.11 to 3.13), UNIMO_VENV the folder of the environment (default: .venv), REQUIREMENTS
# the set, e.g. requirements-gpu.txt (default: the one that the environment was made of, else requirements.txt).
# Relative folders count from the repository. An environment that another clone made, or nobody knows who, is left
# alone. Exit status 2: could not set up.

unimo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unimo_from_root() { case "$1" in /*) echo "$1" ;; *) echo "$unimo_root/$1" ;; esac }
unimo_venv=$(unimo_from_root "${UNIMO_VENV:-.venv}")
unimo_remembered=$(sed -n 3p "$unimo_venv/.unimo-clone" 2>/dev/null || true)  # the set, as it was named
if [ ! -f "$(unimo_from_root "${unimo_remembered:-.}")" ]; then unimo_remembered=requirements.txt; fi
unimo_set=${REQUIREMENTS:-$unimo_remembered}
unimo_requirements=$(unimo_from_root "$unimo_set")

# "3.11 /usr/bin/python3.11", or nothing where $1 is absent, broken (an empty pyenv shim) or of another version.
# Inside an active environment it is the interpreter beneath, for the other one is perhaps about to be deleted.
unimo_supported() {
    "$1" -c 'import sys
if (3, 11) <= sys.version_info[:2] <= (3, 13):
    print("%d.%d" % sys.version_info[:2], sys._base_executable)' 2>/dev/null || true
}

unimo_find_python() {  # prints version and path of the first interpreter that can make environments
    local candidate found without_venv="" candidates=(python3.13 python3.12 python3.11 python3)
    if [ -n "${PYTHON:-}" ]; then candidates=("$PYTHON"); fi
    for candidate in "${candidates[@]}"; do
        found=$(unimo_supported "$candidate")
        if [ -z "$found" ]; then continue; fi
        if "${found#* }" -c 'import ensurepip, venv' 2>/dev/null; then echo "$found"; return 0; fi
        without_venv=${without_venv:-$found}
    done
    if [ -n "$without_venv" ]; then
        echo "unimo: ${without_venv#* } cannot make virtual environments (no ensurepip);" \
            "on Debian or Ubuntu: apt install python${without_venv%% *}-venv" >&2
    else
        echo "unimo: no Python 3.11 to 3.13 found (looked for:" \
            "${candidates[*]}); PYTHON=/path/to/python names another" >&2
    fi
    return 2
}

# Whether what is in $unimo_venv may be cleared: nothing, or what this clone made. .unimo-clone names the clone, the
# place and the set; an environment that was copied or moved with its clone (it lies inside) names another place than
# where it is. A link in this clone to what lies elsewhere is no such copy: the places are compared without links.
unimo_is_own() {
    if [ -z "$(ls -A "$unimo_venv" 2>/dev/null)" ]; then return 0; fi
    local maker place real
    if { read -r maker && read -r place; } 2>/dev/null < "$unimo_venv/.unimo-clone"; then
        if [ "$maker" = "$unimo_root" ]; then return 0; fi
        real=$(realpath -m "$unimo_venv")
        [[ "$(realpath -m "$place")" != "$real" && "$real" = "$(realpath -m "$unimo_root")"/* ]]
    else  # made before there was such a file
        [[ "$(cat "$unimo_venv/.unimo-ready" 2>/dev/null)" = *" $unimo_root $unimo_venv "* ]]
    fi
}

unimo_install() {  # unimo_install PYTHON STAMP
    if ! unimo_is_own; then
        echo "unimo: $unimo_venv is not empty and not an environment that this clone made; it is left alone" \
            "(UNIMO_VENV=/path names another place)" >&2
        return 3
    fi
    echo "unimo: setting up $unimo_venv ($("$1" --version), ${unimo_requirements##*/}); this takes a minute or two"
    # the mark comes before everything else and is not cleared: a set-up that is killed anywhere can be done again
    mkdir -p "$unimo_venv" && printf '%s\n' "$unimo_root" "$unimo_venv" "$unimo_set" > "$unimo_venv/.unimo-clone" ||
        return 2
    find "$unimo_venv/" -mindepth 1 -maxdepth 1 ! -name .unimo-clone -exec rm -rf {} + || return 2
    "$1" -m venv "$unimo_venv" || return 2
    local pip=("$unimo_venv/bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" -r "$unimo_requirements" || return 2
    "${pip[@]}" --no-deps --no-build-isolation -e "$unimo_root" || return 2
    echo "$2" > "$unimo_venv/.unimo-ready"  # last: a run that was interrupted has none, and is done again
}

unimo_setup() {
    local found stamp status=0
    found=$(unimo_find_python) || return 2
    # the folders too: an editable install and the programs of an environment point at where both were
    stamp="${found%% *} $unimo_root $unimo_venv $(cat "$unimo_requirements" "$unimo_root/pyproject.toml" | sha256sum)"
    (
        flock 9 2>/dev/null || true  # two at once: the second waits, then finds all done
        if [ -x "$unimo_venv/bin/python" ] && [ "$(cat "$unimo_venv/.unimo-ready" 2>/dev/null)" = "$stamp" ]; then
            return 0
        fi
        unimo_install "${found#* }" "$stamp"
    ) 9< "$unimo_root" || status=$?
    if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then  # 3: has been told in one line
        echo "unimo: $unimo_venv was not set up; the reason stands above" >&2
    fi
    [ "$status" -eq 0 ]
}

if unimo_setup; then
    export PATH="$unimo_venv/bin:$PATH" VIRTUAL_ENV="$unimo_venv"
else
    # shellcheck disable=SC2317 # return works when sourced, exit when run
    return 2 2>/dev/null || exit 2
fi
