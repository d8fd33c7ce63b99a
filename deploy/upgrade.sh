#!/bin/sh
# Renews the product on one machine with containers, one part after another, so that nobody notices: see docs/upgrade.md.
set -eu
cd "$(dirname "$0")/.."

docker compose build
docker compose run --rm --no-deps migrate
for part in web-1 web-2 bot jobs-quick jobs-long jobs-files beat; do
    echo "renewing $part"
    # Returns when the part is healthy, and fails if it does not become so: the others then stay as they were.
    docker compose up --detach --no-deps --wait --wait-timeout 180 "$part"
done
