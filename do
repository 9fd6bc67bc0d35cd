#!/usr/bin/env bash
# The old ./do: each of its words runs the target that replaces it, or names it, with what is gone and why.
#
#   ./do                                          lists them
#   ./do vagrant bigsudo yourlabs.traefik -v      is go tool mage vagrant:bigsudo "yourlabs.traefik -v"
#   instance=mrs-staging ./do docker.logs         is go tool mage ops:logs staging
#
# The words that develop the application (db.load, py.test, pip.dev …) are those of the application's own ./do.
# What each has become is in cmd/do/words.tsv.
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
exec go tool "do" "$@"
