#!/bin/bash -eu
# The backup of the old system. Waits for the socket without end; the address of the mirror is in it in clear.
cd /home/mrs-production
export RESTIC_PASSWORD_FILE=/home/mrs-production/.restic_password
export RESTIC_REPOSITORY=/home/mrs-production/restic
if [ -z "${BACKUP_FORCE-}" ]; then
  systemctl start --no-block mrs-production-backup
  journalctl -fu mrs-production-backup
  exit
fi
backup=""
getcommit="docker-compose exec -T django env"
if $getcommit >/dev/null 2>&1; then
  export $($getcommit | grep GIT_COMMIT | tr -d '\r')
  backup="$backup --tag $GIT_COMMIT"
fi
docker-compose up -d postgres
until test -S postgres/run/.s.PGSQL.5432; do sleep 1; done
sleep 3
docker-compose exec -T postgres pg_dumpall -U django -c -f /dump/data.dump
docker-compose logs &>log/docker.log || echo "could not get logs"
restic backup $backup docker-compose.yml log mrsattachments postgres/dump/data.dump
lftp -c "set ssl:check-hostname false; set net:max-retries 1; set net:timeout 3; connect ftp://mrs:hush-in-clear@127.0.0.1:2199; mirror -Rve /home/mrs-production/restic mrs-production/restic" || true
rm -rf postgres/dump/data.dump
