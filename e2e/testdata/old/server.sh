# What a server of yourlabs.traefik, .ssh and .netdata is, before anything is deployed there.
export DEBIAN_FRONTEND=noninteractive
command -v docker-compose >/dev/null || { apt-get -qq update; apt-get -qq install --no-install-recommends docker-compose >/dev/null; }
for program in restic lftp logrotate; do
  command -v $program >/dev/null || PATH=$PATH:/usr/sbin command -v $program >/dev/null || apt-get -qq install --no-install-recommends $program >/dev/null
done

# The lab's Traefik goes aside.
docker compose --file /etc/traefik/docker-compose.yml down >/dev/null 2>&1 || true
docker rm --force traefik >/dev/null 2>&1 || true
[ -e /root/lab-traefik ] || cp -a /etc/traefik /root/lab-traefik
rm -rf /etc/traefik /var/log/traefik
docker network inspect web >/dev/null 2>&1 || docker network create web >/dev/null
for image in betagouv/mrs:master postgres:10 traefik:v3.0; do
  docker image inspect REGISTRY/$image >/dev/null 2>&1 || docker pull --quiet REGISTRY/$image >/dev/null
done
docker tag REGISTRY/traefik:v3.0 traefik:latest
docker tag REGISTRY/betagouv/mrs:master betagouv/mrs:3f1c9ad
docker tag REGISTRY/postgres:10 postgres:10

# yourlabs.ssh: deploy, sudo without password.
id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --groups sudo deploy
printf '%%sudo ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/passwordless

# yourlabs.traefik: htpasswd is a folder, acme.json has what was once got, traefik.toml has no effect.
mkdir -p /etc/traefik/htpasswd /etc/traefik/acme
printf 'root:%s\n' "$(openssl passwd -apr1 hush)" >/etc/traefik/htpasswd/root
printf hush >/root/password_root
printf '[api]\n' >/etc/traefik/traefik.toml
openssl genrsa -traditional -out /tmp/account.pem 2048 2>/dev/null
certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 80 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" -keyout /tmp/$1.key -out /tmp/$1.crt 2>/dev/null
  printf '{"domain": {"main": "%s"}, "certificate": "%s", "key": "%s", "Store": "default"}' "$1" "$(base64 -w0 </tmp/$1.crt)" "$(base64 -w0 </tmp/$1.key)"
  rm /tmp/$1.key /tmp/$1.crt
}
printf '{"leresolver": {"Account": {"Email": "ops@example.org", "Registration": {"body": {"status": "valid"}, "uri": "https://acme.lab.invalid/acme/acct/1"}, "PrivateKey": "%s", "KeyType": "4096"}, "Certificates": [%s, %s]}}\n' \
  "$(openssl rsa -in /tmp/account.pem -traditional -outform DER 2>/dev/null | base64 -w0)" "$(certificate www.production.lab)" "$(certificate one.lab)" >/etc/traefik/acme/acme.json
rm /tmp/account.pem
chmod 0600 /etc/traefik/acme/acme.json

# What the roles remember: scripts that print JSON, which everybody may read.
mkdir -p /etc/ansible/facts.d
printf '#!/bin/sh\necho '"'"'{"slack_webhook": "https://hooks.example.org/services/T/B/hush", "slack_channel": "tech"}'"'"'\n' >/etc/ansible/facts.d/yourlabs_netdata.fact
printf '#!/bin/sh\necho '"'"'{"email": "ops@example.org", "acme": "production"}'"'"'\n' >/etc/ansible/facts.d/yourlabs_traefik.fact
printf '#!/bin/sh\necho '"'"'{"ip": "0.0.0.0", "port": 22}'"'"'\n' >/etc/ansible/facts.d/yourlabs_ssh.fact
chmod 0755 /etc/ansible/facts.d/*.fact

# yourlabs.compose, for branches: the cleaner looks each second.
for branch in a b; do
  mkdir -p /root/.yourlabs.compose/test-$branch
  printf 'version: "3.7"\nservices:\n  django:\n    image: betagouv/mrs:3f1c9ad\n    command: sleep infinity\n' >/root/.yourlabs.compose/test-$branch/docker-compose.yml
  echo $(($(date +%s) + 604800)) >/root/.yourlabs.compose/test-$branch/removeat
done
unit() { # NAME COMMAND CALENDAR
  printf '[Unit]\nDescription=%s\n[Service]\nType=oneshot\nExecStart=%s\n[Install]\nWantedBy=basic.target\n' "$1" "$2" >/etc/systemd/system/$1.service
  printf '[Unit]\nDescription=%s\n[Timer]\nOnCalendar=%s\nAccuracySec=1s\n[Install]\nWantedBy=timers.target\n' "$1" "$3" >/etc/systemd/system/$1.timer
}
unit yourlabs-compose-cleaner /root/.yourlabs.compose/remove.sh '*:*:*'
unit yourlabs-docker-prune '/usr/bin/docker system prune --all --volumes --force' '2099-01-01'
unit mrs-production-backup /home/mrs-production/backup.sh '2099-01-01 23:00:00'
unit mrs-production-prune /home/mrs-production/prune.sh '2099-01-01 04:00:00'
sed -i '/ExecStart/i Environment=BACKUP_FORCE=1' /etc/systemd/system/mrs-production-backup.service

cat >/etc/logrotate.d/mrs <<'ROTATE'
/home/*/log/*.log {
    daily
    rotate 36
    compress
    missingok
    notifempty
    create 0640 1000 1000
    sharedscripts
}
ROTATE
