#!/bin/sh
# Fetches uPlot from npm and puts its two files and its licence here. VENDOR.md has the hashes; a test checks them.
set -eu
version=1.6.32
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm pack --silent "uplot@$version" >/dev/null
tar xzf "uplot-$version.tgz"
cp package/dist/uPlot.iife.min.js package/dist/uPlot.min.css package/LICENSE "$here/uplot/"
cd "$here/uplot"
sha256sum uPlot.iife.min.js uPlot.min.css LICENSE
