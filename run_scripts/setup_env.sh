#!/usr/bin/env bash
# Make the virtual environment that every other script runs in, or find that it is there already.
#
#   source run_scripts/setup_env.sh      # then `python` and `unimo` are those of the environment
#
# PYTHON names the interpreter (3.11 to 3.13), UNIMO_VENV the folder of the environment (default: .venv).
# REQUIREMENTS names another set, e.g. requirements-gpu.txt.

unimo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unimo_venv=${UNIMO_VENV:-$unimo_root/.venv}
unimo_requirements=$unimo_root/${REQUIREMENTS:-requirements.txt}

unimo_supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

unimo_find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if unimo_supported "$candidate"; then command -v "$candidate"; return 0; fi
    done
    echo "unimo: no Python 3.11 to 3.13 found (looked for: ${PYTHON:-python3, python3.13, python3.12, python3.11})" >&2
    return 2
}

unimo_setup() {
    local python stamp version
    python=$(unimo_find_python) || return 2
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    stamp="$version $(sha256sum "$unimo_requirements" "$unimo_root/pyproject.toml" | cut -c1-16 | tr '\n' ' ')"
    if [ "$(cat "$unimo_venv/.unimo-ready" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "unimo: $python has no venv module; on Debian or Ubuntu: apt install python$version-venv" >&2
        return 2
    fi
    echo "unimo: setting up $unimo_venv (Python $version); this takes a minute or two"
    rm -f "$unimo_venv/.unimo-ready"
    "$python" -m venv --clear "$unimo_venv" || return 2
    "$unimo_venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$unimo_requirements" || return 2
    "$unimo_venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation -e "$unimo_root" || return 2
    echo "$stamp" > "$unimo_venv/.unimo-ready"
}

if unimo_setup; then
    export PATH="$unimo_venv/bin:$PATH" VIRTUAL_ENV="$unimo_venv"
else
    # shellcheck disable=SC2317 # return works when sourced, exit when run
    return 2 2>/dev/null || exit 2
fi
