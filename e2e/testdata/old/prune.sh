#!/bin/bash -eux
cd /home/mrs-production
export RESTIC_PASSWORD_FILE=/home/mrs-production/.restic_password
export RESTIC_REPOSITORY=/home/mrs-production/restic
restic forget --keep-last 7 --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 75
restic prune
restic rebuild-index
restic check
