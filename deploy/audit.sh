#!/bin/sh
# Known vulnerabilities of every pinned requirement, by pip-audit: make audit. Its arguments are how uv is run.
# What could not be looked up is a failure: an answer of nobody is not a clean one.
set -eu
cd "$(dirname "$0")/.."

status=0
for lock in requirements/*.txt; do
  printf '%s\n' "$lock"
  env "$@" tool run --quiet --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes \
    --progress-spinner off --requirement "$lock" || status=1
done
if [ "$status" -ne 0 ]; then
  printf '%s\n' >&2 "" \
    "make audit did not come out clean. A line with an identifier (PYSEC, GHSA, CVE) is a known vulnerability: raise" \
    "the requirement, make lock. \"Dependency not found on PyPI\" or a connection error says that https://pypi.org/pypi/" \
    "(the advisories) can't be reached from here, by a proxy or a mirror that serves packages only: run it elsewhere."
fi
exit "$status"
