#!/usr/bin/env bash
# Installs punie into a virtual environment of its own. Runs on macOS and Linux, bash 3.2 and later.
# A second run only does what is missing. Exit codes: 0 done, 1 failed, 2 usage, 3 no suitable Python.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: ./install.sh [OPTIONS]

Set up punie: a virtual environment, the packages, the embedded model.

  --prefix DIR     install into DIR, away from this folder (default: .venv here, which follows the source)
  --backend NAME   metal, cuda13, cuda12 or cpu (default: what suits this machine)
  --dev            also install what the tests need
  --no-model       do not fetch the embedded model (93 MB)
  --link           also link punie into ~/.local/bin
  --dry-run        say what would be done, and stop
  --help           show this text

Needs Python 3.11 to 3.15. Writes to the virtual environment, to punie's data folder (PUNIE_HOME, if set) and
to pip's download cache, nowhere else. Never uses sudo.
TEXT
}

say() { printf '%s\n' "$*"; }

fail() {
    local code=$1
    shift
    printf 'install.sh: %s\n' "$*" >&2
    exit "$code"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
prefix="" backend="" dev="" model=yes link="" dry=""
while [ $# -gt 0 ]; do
    case $1 in
        --prefix | --backend)
            [ $# -ge 2 ] && [ -n "$2" ] || fail 2 "$1 needs a value; see ./install.sh --help"
            if [ "$1" = --prefix ]; then prefix=$2; else backend=$2; fi
            shift
            ;;
        --dev) dev=dev ;;
        --no-model) model="" ;;
        --link) link=yes ;;
        --dry-run) dry=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail 2 "unknown option '$1'; see ./install.sh --help" ;;
    esac
    shift
done

# What a user's shell may have set for other projects and would lead pip or Python astray.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_REQUIREMENT
export PIP_USER=0
# With an empty HOME, "~" would be the root folder; without HOME it comes from the system's list of users.
[ -n "${HOME:-}" ] || unset HOME

# Prints one line: "ok 3.12.1", or a word and a reason. Runs on any Python, so no newer syntax.
probe='
import sys
version = "%d.%d" % sys.version_info[:2]
if not (3, 11) <= sys.version_info[:2] < (3, 16):
    print("version " + version)
    sys.exit()
import platform
if sys.platform == "darwin" and platform.machine() != "arm64":
    print("unfit it runs as %s; MLX needs Apple silicon and a native Python" % platform.machine())
    sys.exit()
libc, number = platform.libc_ver()
if libc == "glibc" and [int(part) for part in number.split(".")[:2]] < [2, 35]:
    print("unfit this system has glibc %s; MLX needs 2.35" % number)
    sys.exit()
try:
    import ensurepip, venv
except ImportError:
    print("venv " + version)
else:
    print("ok %d.%d.%d" % sys.version_info[:3])
'

python="" python_version=""
find_python() {
    local name path answer old="" novenv="" unfit=""
    for name in python3.13 python3.12 python3.14 python3.11 python3.15 python3 python; do
        # Every hit on PATH: the first may be a shim that does not run, or lack the venv module.
        while IFS= read -r path; do
            answer=$("$path" -c "$probe" </dev/null 2>/dev/null) || continue
            case $answer in
                "ok "*)
                    python=$path python_version=${answer#ok }
                    return
                    ;;
                "version "*) [ -n "$old" ] || old="$path is ${answer#version }" ;;
                "venv "*) [ -n "$novenv" ] || novenv="$path (${answer#venv }) has no venv module" ;;
                "unfit "*) [ -n "$unfit" ] || unfit="$path: ${answer#unfit }" ;;
            esac
        done < <(type -aP "$name" || true)
    done
    [ -z "$unfit" ] || fail 3 "$unfit"
    [ -z "$novenv" ] || fail 3 "$novenv; install it (Debian, Ubuntu: the package python3-venv)"
    [ -z "$old" ] || fail 3 "Python 3.11 to 3.15 is needed; $old"
    fail 3 "Python 3.11 to 3.15 is needed; no python3 on PATH runs"
}

suitable_backend() {
    if [ "$(uname -s)" = Darwin ]; then
        say metal
        return
    fi
    local line driver capability
    # Not by `head`: with several GPUs it may close the pipe before nvidia-smi has ended, which then counts as failed.
    line=$(nvidia-smi --query-gpu=driver_version,compute_cap --format=csv,noheader 2>/dev/null) || line=""
    line=${line%%$'\n'*}
    driver=${line%%.*}
    capability=${line##*, }
    # MLX needs compute capability 7.5.
    case $driver$(printf %s "$capability" | tr -d .) in
        "" | *[!0-9]*) say cpu ;;
        *)
            if [ "$(printf %s "$capability" | tr -d .)" -lt 75 ]; then
                say cpu
            elif [ "$driver" -ge 580 ]; then
                say cuda13
            elif [ "$driver" -ge 550 ]; then
                say cuda12
            else
                say cpu
            fi
            ;;
    esac
}

free_mb() {
    local folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }'
}

case $backend in
    "") backend=$(suitable_backend) ;;
    metal | cuda13 | cuda12 | cpu) ;;
    *) fail 2 "unknown backend '$backend'; there are: metal, cuda13, cuda12, cpu" ;;
esac

if [ -z "$prefix" ]; then
    venv=$here/.venv
else
    case $prefix in
        /*) venv=$prefix ;;
        *) venv=$PWD/$prefix ;;
    esac
fi
stamp=$venv/.punie-install
log=$venv/install.log

# Test tools stay once they are there: a later run need not ask for them again.
if [ -f "$stamp" ] && sed -n 2p "$stamp" | grep -q 'dev$'; then dev=dev; fi
# Extras that pip gets; on macOS the backend is an ordinary dependency.
extras=$dev
[ "$backend" = metal ] || extras=$backend${dev:+,$dev}

# What the packages were installed from. A copy (--prefix) depends on each file that goes into the wheel.
state() {
    {
        printf '%s\n' "$venv"
        cat "$here/pyproject.toml" "$here/punie_cli/__init__.py"
        if [ -n "$prefix" ]; then
            find "$here/punie_cli" "$here/data" -type f ! -name '*.pyc' -exec cksum {} + | sort
        fi
    } | cksum
}
record=$(state)$'\n'$extras

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$record" ] && "$venv/bin/python" -c "" >/dev/null 2>&1; then
    ready=yes
else
    ready=""
    if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv" 2>/dev/null || say file)" ]; then
        fail 1 "$venv exists and is no virtual environment; choose another folder with --prefix"
    fi
    find_python
    # Measured: 1.5 GB (cpu), with room for pip's downloads and the model. The CUDA wheels were only added up.
    case $backend in
        cuda*) need=8000 ;;
        *) need=3000 ;;
    esac
    free=$(free_mb "$venv")
    if [ "${free:-$need}" -lt "$need" ]; then
        fail 1 "$need MB of disk are needed for $venv, $free MB are free"
    fi
fi

if [ -n "$dry" ]; then
    say "environment: $venv${ready:+ (ready)}${python:+ with Python $python_version ($python)}"
    say "packages: punie${extras:+[$extras]}${prefix:+, a copy}"
    say "model: ${model:-no}${model:+, embedded}"
    exit 0
fi

# The reason that pip gave: its last ERROR line, without the words around it.
reason() {
    local line
    line=$(grep -E 'ERROR:|No space left' "$log" | tail -n 1 | sed 's/.*ERROR: *//; s/^ *//' | cut -c 1-300)
    [ -n "$line" ] || line=$(grep -v '^ *$' "$log" | tail -n 1 | cut -c 1-300)
    if grep -qE 'NewConnectionError|ConnectTimeout|ProxyError|NameResolutionError|versions: none' "$log"; then
        line="$line (is the network up, and pip's index right?)"
    fi
    say "$line"
}

if [ -z "$ready" ]; then
    mkdir -p "$venv" 2>/dev/null && [ -w "$venv" ] || fail 1 "$venv cannot be written"
    rm -f "$stamp"
    if [ ! -f "$venv/pyvenv.cfg" ] || ! "$venv/bin/python" -c "$probe" 2>/dev/null | grep -q '^ok'; then
        say "making $venv with Python $python_version ($python)"
        said=$("$python" -m venv --clear "$venv" 2>&1) || fail 1 "Python could not make $venv: ${said##*$'\n'}"
    fi
    : >"$log" || fail 1 "$venv cannot be written"
    "$venv/bin/python" -m pip --version >>"$log" 2>&1 || "$venv/bin/python" -m ensurepip >>"$log" 2>&1 ||
        fail 1 "$venv has no pip: $(reason)"
    say "installing punie${extras:+[$extras]}; this takes minutes, the log is $log"
    source=$here${extras:+[$extras]}
    if [ -n "$prefix" ]; then
        # The copy is replaced also where its version did not change; its dependencies are kept.
        "$venv/bin/python" -m pip uninstall --yes punie-cli >>"$log" 2>&1 || true
        set -- "$source"
    else
        set -- --editable "$source"
    fi
    "$venv/bin/python" -m pip install --no-input --disable-pip-version-check --progress-bar off "$@" >>"$log" 2>&1 ||
        fail 1 "pip failed: $(reason); the log is $log"
    printf '%s\n' "$record" >"$stamp"
fi

if [ -n "$model" ]; then
    if ! said=$("$venv/bin/punie" models pull --quiet embedded 2>&1); then
        say "$said" >>"$log"
        line=$(say "$said" | sed -n 's/^Error: //p' | head -n 1)
        fail 1 "punie is installed, its model is not: ${line:-${said##*$'\n'}}; try again: $venv/bin/punie models pull embedded"
    fi
fi

if [ -n "$link" ]; then
    bin=$("$venv/bin/python" -c 'import os.path; print(os.path.expanduser("~/.local/bin"))')
    if [ -e "$bin/punie" ] && [ "$(readlink "$bin/punie" || true)" != "$venv/bin/punie" ]; then
        fail 1 "$bin/punie exists and belongs to something else; remove it first"
    fi
    mkdir -p "$bin" && ln -sf "$venv/bin/punie" "$bin/punie" || fail 1 "$bin/punie cannot be written"
fi

say "punie is in $venv (backend $backend${dev:+, with test tools}${ready:+; it was already there})"
[ -z "$model" ] || say "its model is smollm2-135m, in punie's data folder"
say "next:   $venv/bin/punie ask \"typecheck src/\"    in one of your projects"
if [ -n "$link" ]; then
    say "linked: $bin/punie"
else
    say "to type punie alone:   export PATH=\"$venv/bin:\$PATH\"    or ./install.sh --link"
fi
