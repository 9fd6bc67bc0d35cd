# People, attachments and two backups by the old script, and what a restore of 2020 has left.
cd /home/mrs-production
docker exec --env DEBUG= mrs-production_django_1 mrs seed 200 >/dev/null
for n in 1 2 3; do head -c 100000 /dev/urandom >mrsattachments/scan-$n.jpg; done
chown 1000:1000 mrsattachments/*
mkdir -p 'postgres/backup-data-20200401-10:00:00'
BACKUP_FORCE=1 ./backup.sh >/dev/null 2>&1
docker exec --env DEBUG= mrs-production_django_1 mrs seed 5 >/dev/null
BACKUP_FORCE=1 ./backup.sh >/dev/null 2>&1
