# The machine is the lab's again.
systemctl disable --quiet --now yourlabs-compose-cleaner.timer yourlabs-docker-prune.timer mrs-production-{backup,prune,drill}.timer 2>/dev/null || true
systemctl disable --quiet mrs-production-{backup,prune,recover}.service 2>/dev/null || true
rm -rf /etc/systemd/system/yourlabs-* /etc/systemd/system/mrs-production-*.{service,timer} /etc/systemd/system/basic.target.wants/mrs-* \
  /etc/logrotate.d/mrs /etc/logrotate.d/mrs-ops-mrs-production /etc/ansible/facts.d/yourlabs_{netdata,traefik,ssh}.fact /var/lib/mrs-ops/old-system.*
systemctl daemon-reload
for project in one two mrs-production test-a test-b; do
  docker ps --all --quiet --filter label=com.docker.compose.project=$project | xargs -r docker rm --force --volumes >/dev/null
  docker network ls --quiet --filter label=com.docker.compose.project=$project | xargs -r docker network rm >/dev/null
done
docker rm --force traefik >/dev/null 2>&1 || true
rm -rf /home/one /home/two /home/mrs-production /root/.yourlabs.compose/{remove.sh,test-a,test-b} /root/password_root
userdel --remove deploy 2>/dev/null || true
rm -f /etc/sudoers.d/passwordless
docker rmi --no-prune traefik:latest betagouv/mrs:3f1c9ad postgres:10 >/dev/null 2>&1 || true
if [ -d /root/lab-traefik ]; then
  rm -rf /etc/traefik
  mv /root/lab-traefik /etc/traefik
  mkdir -p /var/log/traefik
  docker compose --file /etc/traefik/docker-compose.yml up --detach --wait >/dev/null 2>&1
fi
