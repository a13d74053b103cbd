#!/bin/sh
# Puts uv into .tools of this checkout, through venv or through pip --target, whichever the machine has.
set -eu
python="${PYTHON:-python3}"
say() { printf '%s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null 2>&1; then
  say "Palier needs Python 3.11 or later: apt install python3 python3-venv"
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "Palier needs Python 3.11 or later, this is $("$python" --version): apt install python3 python3-venv, or make PYTHON=python3.13"
  exit 1
fi

mkdir -p .tools
if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  "$python" -m venv --clear .tools/venv
  .tools/venv/bin/python -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --require-hashes -r requirements/uv.txt
  ln -sf venv/bin/uv .tools/uv
elif "$python" -m pip --version >/dev/null 2>&1; then
  "$python" -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --require-hashes --upgrade --target .tools/lib -r requirements/uv.txt
  ln -sf lib/bin/uv .tools/uv
else
  say "Palier needs venv or pip to set itself up: apt install python3-venv"
  exit 1
fi
touch -h .tools/uv
