#!/bin/sh
# Backs the host up into a folder: volumes (InfluxDB, records, waveforms, broker, Grafana), plant, settings, secrets.
#   deploy/backup.sh [FOLDER]        default backups/DATE
# Ingest, page, Grafana, InfluxDB and broker stand still while their files are copied, so that the copy is of one
# moment, whatever the server's version; the gateways keep their frames for as long and send them afterwards.
set -eu
cd "$(dirname "$0")/.."
. deploy/compose.sh

target=${1:-backups/$(date -u +%Y%m%dT%H%M%SZ)}
plant=$(setting PALIER_PLANT) folder=$(setting PALIER_PROVISION)
plant=${plant:-./deploy/compose/plant.toml} folder=${folder:-./deploy/provision}

if [ -e "$target" ]; then
  say "$target is there already: name a folder that is not"
  exit 1
fi
umask 077 # it holds every key of the plant
mkdir -p "$target"
running=$(compose ps --services --status running | grep -x -e broker -e console -e grafana -e influxdb -e ingest || true)

again() {
  # shellcheck disable=SC2086  # a list of services
  [ -z "$running" ] || compose start $running >&2
}
trap again EXIT

# The ingest first, so that nothing is acknowledged that is not in the copy. An outbox is not copied: put back, it would
# give the numbers of new frames to others a second time.
case "$running" in *ingest*) compose stop ingest >&2 ;; esac
# shellcheck disable=SC2086
[ -z "$running" ] || compose stop $running >&2
compose run --rm --no-deps -T --entrypoint tar volumes -C /volumes -cf - broker data grafana influxdb page \
  >"$target/volumes.tar"
trap - EXIT
again

cp .env "$target/env" 2>/dev/null || true
cp "$plant" "$target/plant.toml"
tar -C "$folder" -cf "$target/provision.tar" .
(cd "$target" && sha256sum -- * >SHA256SUMS)
say "made $target ($(du -sh "$target" | cut -f1)). It holds every secret of the plant: keep it as you keep those."
