# shellcheck shell=sh
# Sourced by the scripts beside it: docker compose, and the settings of .env.

say() { printf '%s\n' "$*" >&2; }

# COMPOSE="docker-compose" takes another one than the engine's plugin.
# shellcheck disable=SC2086  # a command and its first argument
compose() { ${COMPOSE:-docker compose} "$@"; }
# shellcheck disable=SC2086
exec_compose() { exec ${COMPOSE:-docker compose} "$@"; }

# What compose takes for a setting: the environment, else .env, where it may stand in quotes.
setting() {
  eval "value=\${$1-}"
  if [ -z "$value" ] && [ -e .env ]; then
    value=$(sed -n "/^$1=/{s///;s/^[\"']\(.*\)[\"']\$/\1/;p;}" .env | tail -n 1)
  fi
  printf '%s' "$value"
}

if ! compose version >/dev/null 2>&1; then
  say "this needs Docker with its compose plugin (2.20 or later): https://docs.docker.com/engine/install/"
  exit 1
fi
