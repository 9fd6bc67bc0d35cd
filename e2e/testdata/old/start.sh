# What the playbooks have made, and the stacks.
cd /home/mrs-production
mkdir -p log spooler/mail spooler/stat mrsattachments
chown 1000:1000 log spooler spooler/* mrsattachments
chmod 0750 log spooler spooler/* mrsattachments
chmod 0700 .
(umask 077; printf 'PASSWORD' >.restic_password)
chmod 0400 .restic_password
[ -e restic/config ] || RESTIC_REPOSITORY=$PWD/restic RESTIC_PASSWORD_FILE=$PWD/.restic_password restic init --quiet
for stack in /etc/traefik /home/one /home/two /home/mrs-production; do
  (cd $stack && docker-compose up -d 2>&1)
done
systemctl daemon-reload
systemctl enable --quiet --now yourlabs-compose-cleaner.timer yourlabs-docker-prune.timer mrs-production-backup.timer mrs-production-prune.timer
systemctl enable --quiet mrs-production-backup.service mrs-production-prune.service
