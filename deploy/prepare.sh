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

# The stamp holds the lock and the project file: a changed dependency or entry point installs again, nothing else does.
# Removing the stamp first makes an interrupted installation start over.
prepare() {
    wanted=$(cat deploy/requirements.lock pyproject.toml | cksum)
    if [ -x .venv/bin/xenbot ] && [ "$(cat .venv/stamp 2>/dev/null)" = "$wanted $root" ]; then
        return 0
    fi
    python=$(find_python) || return 2
    echo "Preparing .venv (once, about a minute) ..." >&2
    rm -rf .venv
    log=$(mktemp)
    if "$python" -m venv .venv >"$log" 2>&1 &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
            --require-hashes --only-binary :all: --no-binary sqlite-fts4 -r deploy/requirements.lock >>"$log" 2>&1 &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
            --no-deps --no-index --no-build-isolation --editable . >>"$log" 2>&1; then
        rm -f "$log"
        printf '%s %s' "$wanted" "$root" >.venv/stamp
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    echo "The dependencies could not be installed; the reason is above. Nothing outside .venv was changed." >&2
    return 2
}

prepare || exit 2
