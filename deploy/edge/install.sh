#!/bin/sh
# Palier's agent on a gateway: 64-bit Raspberry Pi OS or Debian. Run as root; run again, it changes nothing that
# is right already. docs/gateway.md tells what it does.
#
#   install.sh [--config FOLDER] [--with LIST]  install, or upgrade to the version beside this script
#   install.sh --return                         back to the version before
#
# --config is the folder that `palier provision` made for this gateway. --with takes audio (sound interfaces), opcua
# (OPC UA servers; asyncua is LGPL-3.0) and spi, with commas between; an upgrade without it keeps what is there. Each
# version has a folder of its own below /opt/palier/releases; `current` points to the one in use, `former` to the
# one before. What is sampled lies in /var/lib/palier-agent and is never touched.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-} # a folder in place of /, for tests and for packagers
prefix=$root/opt/palier
etc=$root/etc/palier
units=$root/etc/systemd/system
unit="palier-agent.service"
config="" with="" way=forth

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
runs() { [ -d "$root/run/systemd/system" ]; } # systemd is in charge here

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }

while [ $# -gt 0 ]; do
  case $1 in
  --config) [ $# -ge 2 ] || fail "--config needs the folder that palier provision made for this gateway"; config=$2; shift ;;
  --with) [ $# -ge 2 ] || fail "--with needs a list, e.g. audio,spi"; with=$(printf %s "$2" | tr , ' '); shift ;;
  --return) way=back ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; fail "unknown argument: $1" ;;
  esac
  shift
done
for extra in $with; do
  case $extra in audio | opcua | spi) ;; *) fail "--with takes audio, opcua and spi, got: $extra" ;; esac
done
[ -n "$with" ] || with=$(cat "$prefix/current/with" 2>/dev/null || true)
# shellcheck disable=SC2086  # the list is meant to be split
with=$(printf '%s\n' $with | LC_ALL=C sort -u | xargs)

# --- what must be so ---------------------------------------------------------------------------------------------

check_machine() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "this must run as root: sudo $0"
  [ "$(uname -s)" = Linux ] || fail "a gateway runs Linux, this is $(uname -s)"
  [ "$(getconf LONG_BIT)" -eq 64 ] || fail "a 64-bit system is needed: numpy has no packages for 32-bit Raspberry Pi OS; write the 64-bit image to the card"
  has python3 || fail "python3 is not installed: apt-get install python3 python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or later is needed, this is $(python3 --version): Debian 12 (bookworm) or later has it"
}

check_bundle() {
  [ -d "$source/wheels" ] || return 0
  set -- "$source"/wheels/numpy-*_"$(uname -m)".whl
  [ -e "$1" ] || fail "this bundle is not for $(uname -m), but for $(basename "$source"): make edge-bundle ARCH=$(uname -m)"
  set -- "$source"/wheels/numpy-*-"$(python3 -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"-*.whl
  [ -e "$1" ] || fail "this bundle has no packages for $(python3 --version), the one of this system: it is for Debian 12 and 13"
}

check_config() {
  [ -n "$config" ] || return 0
  for file in ca.crt password broker.toml; do
    [ -r "$config/$file" ] || fail "$config/$file is not there: --config takes the folder gateways/NODE of palier provision"
  done
}

# Debian's packages for what is asked; nothing where they are there.
packages() {
  needed=""
  python3 -c 'import ensurepip' 2>/dev/null || needed="$needed python3-venv"
  case " $with " in *" audio "*) ldconfig -p 2>/dev/null | grep -q libportaudio || needed="$needed libportaudio2" ;; esac
  case " $with " in *" spi "*) python3 -c 'import spidev' 2>/dev/null || needed="$needed python3-spidev" ;; esac
  [ -n "$needed" ] || return 0
  has apt-get || fail "these are missing and this is no Debian: install them by hand:$needed"
  # shellcheck disable=SC2086  # the list is meant to be split
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $needed ||
    fail "apt-get could not install:$needed; apt-get update, or install them by hand, and run this again"
}

# A pip that outlived an installation that was killed has it, too.
alone() {
  install -d -m 0755 "$prefix"
  exec 9>>"$prefix/.lock"
  flock -n 9 || fail "another installation is at work: wait until it has ended, and run this again"
}

# --- a version in a folder of its own ----------------------------------------------------------------------------

# Beside this script in a bundle, or two folders up in a checkout.
source_folder() { if [ -d "$here/wheels" ]; then say "$here"; else (cd "$here/../.." && pwd); fi; }

# What is installed is known by its files and by Python: the same again is the same release.
release_name() {
  (cd "$source" && { python3 -V | cut -d. -f1,2; find requirements/edge*.txt pyproject.toml wheels palier models \
    edge_agent simulators deploy/edge/*.* deploy/systemd/palier-agent.service -type f ! -name '*.pyc' 2>/dev/null |
    LC_ALL=C sort | xargs cat; } | sha256sum | cut -c1-12)
}

make_release() {
  name=$(sed -n 's/^version = "\(.*\)"/\1/p' "$source/pyproject.toml" | head -n 1)-$(release_name)
  [ -z "$with" ] || name=$name-$(printf %s "$with" | tr ' ' '-')
  release=$prefix/releases/$name
  if [ -e "$release/complete" ]; then return 0; fi
  say "installing $name"
  rm -rf "$release"
  install -d -m 0755 "$prefix" "$prefix/releases"
  site=""
  case " $with " in *" spi "*) site=--system-site-packages ;; esac # Debian's spidev: PyPI has no wheel of it
  python3 -m venv $site "$release" || fail "no environment could be made in $release: apt-get install python3-venv"
  from=""
  [ ! -d "$source/wheels" ] || from="--no-index --find-links $source/wheels"
  locks="--requirement $source/requirements/edge.txt"
  case " $with " in *" opcua "*) locks="--requirement $source/requirements/edge-opcua.txt" ;; esac
  # shellcheck disable=SC2086  # options are meant to be split
  "$release/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes $from $locks ||
    { rm -rf "$release"; fail "the packages could not be installed; without a network use a bundle (docs/gateway.md)"; }
  if [ -d "$source/wheels" ]; then palier=$(find "$source/wheels" -name 'palier-*.whl'); else palier=$source; fi
  # shellcheck disable=SC2086
  "$release/bin/pip" install --quiet --disable-pip-version-check --no-deps $from "$palier" ||
    { rm -rf "$release"; fail "Palier itself could not be installed from $palier"; }
  "$release/bin/python" -P -m edge_agent --help >/dev/null ||
    { rm -rf "$release"; fail "the version just installed does not start; nothing was changed"; }
  install -d -m 0755 "$release/system" # its unit goes back with it
  cp "$source/deploy/edge/sysusers.conf" "$source/deploy/edge/60-palier.rules" "$source/deploy/edge/devices.conf" \
    "$source/deploy/systemd/palier-agent.service" "$release/system/"
  printf %s "$with" >"$release/with"
  : >"$release/complete"
  sync
}

# Points `current` elsewhere in one step: no moment without a version.
point() {
  ln -sfn "$2" "$prefix/.$1"
  mv -T "$prefix/.$1" "$prefix/$1"
}

target() { readlink "$prefix/$1" 2>/dev/null || true; }

# --- the system around it ----------------------------------------------------------------------------------------

# Copies a file only where it differs; 0 says that it did.
put() {
  if cmp -s "$2" "$3" && [ "$(stat -c %a "$3")" = "$1" ]; then return 1; fi
  install -D -m "$1" "$2" "$3"
  say "wrote $3"
}

# Those of the version in use.
system_files() {
  changed=$1
  system=$prefix/current/system
  [ -d "$system" ] || return 0
  put 644 "$system/sysusers.conf" "$root/usr/lib/sysusers.d/palier.conf" && changed=yes
  put 644 "$system/60-palier.rules" "$root/etc/udev/rules.d/60-palier.rules" && changed=yes
  put 644 "$system/palier-agent.service" "$units/$unit" && changed=yes
  put 644 "$system/devices.conf" "$units/$unit.d/10-devices.conf" && changed=yes
  if has systemd-sysusers; then
    systemd-sysusers ${root:+"--root=$root"} palier.conf || fail "the account palier and its groups could not be made"
  fi
  if [ "$changed" = yes ] && runs; then
    systemctl daemon-reload
    if has udevadm; then udevadm control --reload && udevadm trigger --subsystem-match=iio --subsystem-match=i2c-dev --subsystem-match=spidev; fi
  fi
}

configuration() {
  install -d -m 0755 "$etc"
  if [ -n "$config" ]; then
    put 644 "$config/ca.crt" "$etc/ca.crt" || true
    put 600 "$config/password" "$etc/password" || true
    for file in "$config"/*.pub; do
      [ -e "$file" ] && { put 644 "$file" "$etc/$(basename "$file")" || true; }
    done
    [ -e "$etc/agent.toml" ] || new_agent_toml
  fi
  [ -e "$etc/agent.toml" ] || say "next: write $etc/agent.toml (palier/samples/agent.toml explains each key), or run this with --config FOLDER"
}

# Site, node and broker as provision wrote them; the sources are for a person to name.
new_agent_toml() {
  new=$etc/.agent.toml
  {
    sed -n 's/^#   \([a-z_]* = ".*"\)$/\1/p' "$config/broker.toml"
    say 'data = "/var/lib/palier-agent"'
    say 'health_port = 9465'
    say ''
    sed '/^#/d; s|^password_file = .*|password_file = "/run/credentials/palier-agent.service/password"|' "$config/broker.toml"
    cat "$source/deploy/edge/sources.toml"
  } >"$new"
  chmod 644 "$new"
  mv "$new" "$etc/agent.toml"
  say "wrote $etc/agent.toml: name the sensors in it"
}

# 0: it works. The unit is Type=notify: systemd returns when the outbox is open and the sources are started.
started() { systemctl restart $unit && sleep 5 && systemctl is-active --quiet $unit; }

serve() {
  if ! runs; then
    say "systemd is not in charge here: start it by hand: $prefix/current/bin/python -P -m edge_agent --config $etc/agent.toml"
    rm -f "$prefix/.unfinished"
    return 0
  fi
  if ! "$prefix/current/bin/python" -P -m edge_agent --config "$etc/agent.toml" --print-config >/dev/null 2>&1; then
    say "the agent is not started: $etc/agent.toml is missing or not right yet; look with: $prefix/current/bin/palier agent --config $etc/agent.toml --check, then run this again"
    return 0
  fi
  systemctl enable --quiet $unit
  started || return 1
  rm -f "$prefix/.unfinished"
}

forth() {
  check_machine
  check_config
  source=$(source_folder)
  check_bundle
  packages
  alone
  make_release
  before=$(target current) way_back=$(target former)
  reload=no
  [ ! -e "$prefix/.unfinished" ] || reload=yes # killed, or the agent was not started: once more from here
  if [ "$before" = "releases/$name" ] && [ -z "$config" ] && [ $reload = no ] && ! stale_files; then
    say "$name is in use already; nothing to do"
    return 0
  fi
  : >"$prefix/.unfinished"
  if [ "$before" != "releases/$name" ]; then
    [ -z "$before" ] || point former "$before"
    point current "releases/$name"
  fi
  system_files $reload
  configuration
  if ! serve; then
    if [ -z "$before" ] || [ "$before" = "releases/$name" ]; then
      fail "the agent does not start: journalctl -u $unit -n 50${way_back:+; the version before: $0 --return}"
    fi
    point current "$before"
    if [ -n "$way_back" ]; then point former "$way_back"; else rm -f "$prefix/former"; fi
    system_files no
    started || true
    rm -f "$prefix/.unfinished"
    fail "$name did not start and the version before is in use again: journalctl -u $unit -n 50"
  fi
  forget_old
  say "$name is in use${before:+, before it ${before#releases/}}"
}

stale_files() {
  ! { cmp -s "$release/system/60-palier.rules" "$root/etc/udev/rules.d/60-palier.rules" &&
    cmp -s "$release/system/palier-agent.service" "$units/$unit" &&
    cmp -s "$release/system/devices.conf" "$units/$unit.d/10-devices.conf"; }
}

# Two versions stay: the one in use, and the way back.
forget_old() {
  for old in "$prefix"/releases/*; do
    case releases/$(basename "$old") in
    "$(target current)" | "$(target former)") ;;
    *) rm -rf "$old" ;;
    esac
  done
}

back() {
  check_machine
  alone
  former=$(target former) before=$(target current)
  if [ -z "$former" ] || ! [ -e "$prefix/$former/complete" ]; then fail "there is no version before this one: nothing to return to"; fi
  : >"$prefix/.unfinished"
  point current "$former"
  point former "$before"
  system_files no
  serve || fail "${former#releases/} does not start: journalctl -u $unit -n 50; --return again takes ${before#releases/}"
  say "${former#releases/} is in use again, before it ${before#releases/}"
}

$way
