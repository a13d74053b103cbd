#!/bin/sh
# What a gateway without a network is installed from: make edge-bundle. One archive for 64-bit ARM (or ARCH=x86_64)
# with every package, Palier itself, and install.sh: carry it over, tar xf, sudo ./install.sh.
set -eu
cd "$(dirname "$0")/../.."

arch=${ARCH:-aarch64}
python=${PYTHON:-python3}
# Debian 12 has Python 3.11, Debian 13 has 3.13: one bundle does for both.
versions="3.11 3.13"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -n 1)
name=palier-edge-$version-$arch
made=dist/$name
rm -rf "$made"
mkdir -p "$made/wheels" "$made/deploy/edge" "$made/deploy/systemd" "$made/requirements"

for py in $versions; do
  for lock in requirements/edge.txt requirements/edge-opcua.txt; do
    "$python" -m pip download --quiet --disable-pip-version-check --dest "$made/wheels" --only-binary :all: \
      --require-hashes --requirement "$lock" --python-version "$py" --implementation cp --abi "cp$(echo "$py" | tr -d .)" \
      --abi abi3 --abi none \
      --platform "manylinux_2_28_$arch" --platform "manylinux_2_27_$arch" --platform "manylinux_2_26_$arch" \
      --platform "manylinux_2_17_$arch" --platform "manylinux2014_$arch"
  done
done
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$made/wheels" .

cp deploy/edge/install.sh "$made/"
cp deploy/edge/60-palier.rules deploy/edge/sysusers.conf deploy/edge/devices.conf deploy/edge/sources.toml "$made/deploy/edge/"
cp deploy/systemd/palier-agent.service "$made/deploy/systemd/"
cp requirements/edge.txt requirements/edge-opcua.txt "$made/requirements/"
cp pyproject.toml LICENSE "$made/"
tar -C dist -czf "dist/$name.tar.gz" "$name"
rm -rf "$made"
echo "dist/$name.tar.gz"
