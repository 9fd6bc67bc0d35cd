#!/usr/bin/env bash
# Gives an ephemeral instance something to look at: the application's test data and the superuser
# dev/dev. Runs in the stack's folder, with $project; a second run changes nothing.
set -euo pipefail

in_django() {
  docker compose --project-name "${project:?}" --env-file /dev/null --file docker-compose.yml exec -T "$@" </dev/null
}

users=$(in_django django mrs shell -c \
  'from django.contrib.auth import get_user_model as m; print(m().objects.filter(username="dev").count())')
if [ "${users##*$'\n'}" != 0 ]; then
  echo "already filled"
  exit 0
fi
in_django django mrs loaddata data.json
in_django -e DJANGO_SUPERUSER_PASSWORD=dev django \
  mrs createsuperuser --noinput --username dev --email dev@localhost
echo "superuser dev made"
