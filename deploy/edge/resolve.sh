#!/bin/sh
# Whether everything a gateway needs has packages for 64-bit ARM, under each Python that its systems have:
# make resolve-arm64. Its arguments are how uv is run. Nothing is installed, nothing is built from source.
set -eu
cd "$(dirname "$0")/../.."

for python in 3.11 3.13; do
  for extras in "edge" "edge opcua"; do
    options=""
    for extra in $extras; do options="$options --extra $extra"; done
    # shellcheck disable=SC2086  # options are meant to be split
    env "$@" pip compile --quiet --no-header --python-platform aarch64-unknown-linux-gnu --python-version "$python" \
      --only-binary :all: $options pyproject.toml >/dev/null
    echo "arm64, Python $python: palier[$(echo "$extras" | tr ' ' ',')] resolves"
  done
done
