# Sourced by ./deploy/lab and ./deploy/test: makes .venv with the pinned, hashed dependencies, once per lock.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 2

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "xenbot needs Python 3.11, 3.12 or 3.13; none was found. Set PYTHON to one." >&2
    return 2
}

# Two stamps: a changed lock makes .venv anew, a changed project file only installs the entry points again. Removing the
# stamp first makes an interrupted installation start over.
prepare() {
    lock="$(cksum <deploy/requirements.lock) $root"
    project=$(cksum <pyproject.toml)
    log=$(mktemp)
    if [ ! -x .venv/bin/python ] || [ "$(cat .venv/lock-stamp 2>/dev/null)" != "$lock" ]; then
        python=$(find_python) || return 2
        echo "Preparing .venv (once, about a minute) ..." >&2
        rm -rf .venv
        "$python" -m venv .venv >"$log" 2>&1 &&
            .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
                --require-hashes -r deploy/requirements.lock >>"$log" 2>&1 || give_up
        printf '%s' "$lock" >.venv/lock-stamp
    fi
    if [ ! -x .venv/bin/xenbot ] || [ "$(cat .venv/project-stamp 2>/dev/null)" != "$project" ]; then
        rm -f .venv/project-stamp
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
            --no-deps --no-index --no-build-isolation --editable . >>"$log" 2>&1 || give_up
        printf '%s' "$project" >.venv/project-stamp
    fi
    rm -f "$log"
}

give_up() {
    cat "$log" >&2
    rm -f "$log"
    echo "The dependencies could not be installed; the reason is above. Nothing outside .venv was changed." >&2
    exit 2
}

prepare || exit 2
