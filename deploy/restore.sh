#!/bin/sh
# Puts back what deploy/backup.sh made. Everything that is in the volumes now is deleted.
#   deploy/restore.sh FOLDER --yes
# The folder of secrets is put back only where there is none.
set -eu
cd "$(dirname "$0")/.."
. deploy/compose.sh

source=${1:-}
if [ ! -s "$source/volumes.tar" ] || [ ! -s "$source/SHA256SUMS" ]; then
  say "usage: deploy/restore.sh FOLDER --yes; FOLDER is one that deploy/backup.sh made"
  exit 2
fi
if [ "${2:-}" != "--yes" ]; then
  say "everything that broker, InfluxDB, ingest and Grafana keep now will be deleted: add --yes"
  exit 2
fi
# Before anything is touched.
(cd "$source" && sha256sum --check --quiet --strict SHA256SUMS) || {
  say "$source is damaged: nothing has been changed"
  exit 1
}

umask 077
[ -e .env ] || [ ! -e "$source/env" ] || cp "$source/env" .env
uid=$(setting PALIER_UID) gid=$(setting PALIER_GID)
plant=$(setting PALIER_PLANT) folder=$(setting PALIER_PROVISION)
plant=${plant:-./deploy/compose/plant.toml} folder=${folder:-./deploy/provision}
[ -e "$plant" ] || { mkdir -p "$(dirname "$plant")" && cp "$source/plant.toml" "$plant" && chmod 644 "$plant"; }
if [ ! -e "$folder/provision.json" ]; then
  mkdir -p "$folder"
  tar -C "$folder" -xf "$source/provision.tar"
  if [ "$(id -u)" -eq 0 ]; then chown -R "$uid:$gid" "$folder"; fi
  say "put $folder back"
fi

compose down >&2
compose build --quiet volumes
# This host may have another user than the one that the files come from.
compose run --rm --no-deps -T --entrypoint sh volumes -c "
  set -e
  cd /volumes
  find broker data grafana influxdb page -mindepth 1 -delete
  tar -xpf -
  chown -R $uid:$gid broker data grafana influxdb page" <"$source/volumes.tar"
exec_compose up --detach --build --wait
