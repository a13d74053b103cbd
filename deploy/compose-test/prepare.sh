#!/bin/sh
# What `make compose-test` needs, from Debian's packages: an engine, its compose plugin, debootstrap. Starts nothing.
#   prepare.sh FOLDER        where a compose plugin goes if this machine has none
set -eu
folder=$1
say() { printf '%s\n' "$*" >&2; }

packages=""
command -v dockerd >/dev/null 2>&1 || packages="$packages docker.io"
command -v docker >/dev/null 2>&1 || packages="$packages docker.io"
command -v debootstrap >/dev/null 2>&1 || packages="$packages debootstrap"
command -v iptables >/dev/null 2>&1 || packages="$packages iptables"
if [ -n "$packages" ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    say "make compose-test needs, installed by an administrator:$packages"
    exit 1
  fi
  policy=/usr/sbin/policy-rc.d # its 101 keeps a package from starting its server
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086  # the list is meant to be split
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
fi

if docker compose version >/dev/null 2>&1 || [ -x "$folder/cli-plugins/docker-compose" ]; then exit 0; fi
# Debian 12 has compose 1.29 only; Debian 13's package needs nothing that 12 lacks, so its one file is taken out of it.
say "taking the compose plugin out of Debian 13's package"
work=$(mktemp -d)
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$folder/cli-plugins"
# shellcheck disable=SC2016  # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' | head -n 1)
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror" >"$work/sources.list"
apt() {
  (cd "$work" && apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o APT::Sandbox::User=root "$@")
}
apt update
apt download docker-compose/trixie
dpkg-deb --fsys-tarfile "$work"/docker-compose_*.deb |
  tar -xO ./usr/libexec/docker/cli-plugins/docker-compose >"$folder/cli-plugins/docker-compose"
chmod 755 "$folder/cli-plugins/docker-compose"
rm -rf "$work"
