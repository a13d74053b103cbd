#!/bin/sh
# Brings the host of a plant up: .env, plant and secrets if there are none yet, then docker compose.
# Needs an engine with the compose plugin, nothing else. Run again, it changes only what has changed.
set -eu
cd "$(dirname "$0")/.."
. deploy/compose.sh

new_env() {
  uid=$(id -u) gid=$(id -g)
  # Services do not run as root; the secrets are then owned by the image's own user.
  if [ "$uid" -eq 0 ]; then uid=10001 gid=10001; fi
  sed -e "s/^PALIER_UID=.*/PALIER_UID=$uid/" -e "s/^PALIER_GID=.*/PALIER_GID=$gid/" .env.example >.env
  say "made .env: your settings"
}

new_plant() {
  mkdir -p "$(dirname "$plant")"
  cp palier/samples/plant.toml "$plant"
  say "made $plant from the sample: describe your plant in it (palier plant new, palier plant check), then make up again"
}

# In a container of the image, so that the host needs no Python.
new_secrets() {
  (umask 077 && mkdir -p "$folder")
  if [ "$(id -u)" -eq 0 ]; then chown "$uid:$gid" "$folder"; fi
  set --
  for host in ${hosts:-$(hostname)}; do set -- "$@" --host "$host"; done
  case ",$profiles," in *,demo,*) set -- "$@" --gateway demo ;; esac
  compose build --quiet volumes
  compose run --rm --no-deps provision "$@"
  say "made $folder: certificates, accounts and secrets. Keep a copy of it elsewhere; it is the key to everything"
}

[ -e .env ] || [ -n "${PALIER_UID:-}" ] || new_env
uid=$(setting PALIER_UID) gid=$(setting PALIER_GID) hosts=$(setting PALIER_HOSTS) profiles=$(setting COMPOSE_PROFILES)
plant=$(setting PALIER_PLANT) folder=$(setting PALIER_PROVISION)
plant=${plant:-./deploy/compose/plant.toml} folder=${folder:-./deploy/provision}
[ -e "$plant" ] || new_plant
[ -e "$folder/provision.json" ] || new_secrets
exec_compose up --detach --build --wait
