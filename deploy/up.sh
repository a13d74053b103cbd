#!/bin/sh
# Brings the host of a plant up: .env, plant and secrets if there are none yet, then docker compose.
# Needs an engine with the compose plugin, nothing else. Run again, it takes what was changed in .env and the plant.
set -eu
cd "$(dirname "$0")/.."
. deploy/compose.sh

new_env() {
  cp .env.example .env
  say "made .env: your settings"
}

# In its place in .env, at the end where it has none.
write_setting() {
  grep -q "^$1=" .env || printf '%s=\n' "$1" >>.env
  changed=$(sed "s/^$1=.*/$1=$2/" .env)
  printf '%s\n' "$changed" >.env
}

# Services do not run as root; the secrets are then owned by the image's own user.
own_user() {
  me=$(id "$2")
  if [ "$(id -u)" -eq 0 ]; then me=10001; fi
  if [ -z "$(setting "$1")" ]; then write_setting "$1" "$me"; fi
}

# The services read it as another user where root calls this.
new_plant() {
  mkdir -p "$(dirname "$plant")"
  cp palier/samples/plant.toml "$plant"
  chmod 644 "$plant"
  say "made $plant from the sample: describe your plant in it"
}

# In a container of the image, so that the host needs no Python. It makes what is missing and nothing anew, and
# refuses the plant of another site.
secrets() {
  if [ ! -d "$folder" ]; then
    (umask 077 && mkdir -p "$folder")
    if [ "$(id -u)" -eq 0 ]; then chown "$uid:$gid" "$folder"; fi
  fi
  if [ -n "$first" ]; then hosts=${hosts:-$(hostname)}; fi
  set --
  for host in $hosts; do set -- "$@" --host "$host"; done
  case ",$profiles," in *,demo,*) set -- "$@" --gateway demo ;; esac
  compose build --quiet volumes
  compose run --rm --no-deps provision "$@"
}

# What is running already has read the files of before. The broker takes its own at a signal, before an agent that was
# just given an account asks for it; ingest and page read theirs at the start.
take_changes() {
  running=$(compose ps --services --status running)
  for service in $running; do
    case "$service" in
      broker) compose exec -T broker sh -c 'kill -HUP 1' ;;
      ingest | console) if [ "$settings" != "$taken" ]; then compose restart "$service"; fi ;;
    esac
  done
}

made=""
[ -e .env ] || [ -n "${PALIER_UID:-}" ] || { new_env && made=yes; }
if [ -e .env ]; then
  own_user PALIER_UID -u
  own_user PALIER_GID -g
fi
uid=$(setting PALIER_UID) gid=$(setting PALIER_GID) hosts=$(setting PALIER_HOSTS) profiles=$(setting COMPOSE_PROFILES)
plant=$(setting PALIER_PLANT) folder=$(setting PALIER_PROVISION)
plant=${plant:-./deploy/compose/plant.toml} folder=${folder:-./deploy/provision}
[ -e "$plant" ] || { new_plant && made=yes; }
if [ -n "$made" ]; then
  say "nothing is started yet: edit .env and ${plant#./}, then run make up again"
  exit 1
fi
first=""
[ -e "$folder/provision.json" ] || first=yes
secrets
[ -z "$first" ] || say "made $folder: certificates, accounts and secrets. Keep a copy of it elsewhere; it is the key to everything"

# What ingest and page have read, as a checksum.
stamp=$folder/.taken.sha256
taken=$(cat "$stamp" 2>/dev/null || true)
settings=$(cat "$plant" deploy/compose/ingest.toml deploy/compose/console.toml | sha256sum)
take_changes
compose up --detach --build --wait
printf '%s\n' "$settings" >"$stamp"
