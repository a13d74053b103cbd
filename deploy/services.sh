#!/bin/sh
# Installs the servers that the tests run against. Nothing is started: each test runs an instance of its own.
set -eu
packages=""
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has mosquitto || packages="$packages mosquitto"
has mosquitto_sub || packages="$packages mosquitto-clients"
has influxd || packages="$packages influxdb"
has chromium || packages="$packages chromium"
# Shows what a process makes durable before it says so.
has strace || packages="$packages strace"
# What a sound interface is read with.
ldconfig -p 2>/dev/null | grep -q libportaudio || packages="$packages libportaudio2"
# What a report's PDF is set with: Pango, and a font that has Arabic too.
ldconfig -p 2>/dev/null | grep -q libpangoft2 || packages="$packages libpangoft2-1.0-0"
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || packages="$packages fonts-dejavu-core"
if [ -z "$packages" ]; then
  echo "mosquitto, influxd, chromium and strace are there."
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "These are missing and this is no Debian: install them by hand:$packages" >&2
  exit 1
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1; then sudo="sudo"; else
    echo "Installing needs root. Run as root: apt-get install$packages" >&2
    exit 1
  fi
fi
# A package may start its server on installation; policy-rc.d's "101" keeps it from doing so where none is set.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod +x "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
