#!/bin/bash -eux
cd /home/mrs-production
export RESTIC_PASSWORD_FILE=/home/mrs-production/.restic_password
export RESTIC_REPOSITORY=/home/mrs-production/restic
if [ -z "${1-}" ]; then
  restic snapshots
  exit 0
fi
restic restore $1 --target /
docker-compose down --remove-orphans -v
mv postgres/data postgres/backup-data-$(date +%Y%m%d-%H:%M:%S)
docker-compose up -d postgres
until test -S postgres/run/.s.PGSQL.5432; do sleep 1; done
sleep 3
docker-compose exec -T postgres psql -d mrs -U django -f /dump/data.dump
docker-compose up -d
docker-compose logs -f
