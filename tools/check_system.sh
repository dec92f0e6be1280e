#!/bin/sh
# Names what is missing of the system packages that the README lists, before anything else fails in a stranger way.
python=${PYTHON:-python3}
missing=0
say() { echo "quidditch: $1" >&2; missing=1; }

if ! command -v "$python" >/dev/null 2>&1; then
    say "Python is missing: install Python 3.11 or later (or name one: make PYTHON=/path/to/python3 ...)"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "Python 3.11 or later is needed, $python is $("$python" -V 2>&1)"
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    say "Python's venv module is missing: install it (Debian: apt-get install python3-venv)"
fi
if ! command -v cargo >/dev/null 2>&1; then
    say "a Rust toolchain is missing: install Rust 1.88 or later with cargo (https://rustup.rs)"
else
    minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 88 ] || say "Rust 1.88 or later is needed, this is $(rustc --version)"
fi
command -v cc >/dev/null 2>&1 || say "a C compiler (cc) is missing: install one (Debian: apt-get install gcc libc6-dev)"
if ! command -v go >/dev/null 2>&1 && ! command -v etcd >/dev/null 2>&1; then
    echo "quidditch: neither etcd nor Go to build it is here: the tests that need etcd will be skipped" >&2
fi
exit $missing
