#!/usr/bin/env bash
# Prints the packages to install, one a line, of those that the host's repositories have.
#
#   $engines  sets of packages, one a line: the first set that is complete is chosen
#   $plugins  packages, one of which is enough: the first of version 2 or newer is chosen, if any is
set -euo pipefail

# available PACKAGE: the version that would be installed; nothing if there is none.
if command -v apt-get >/dev/null; then
  apt-get -qq update
  available() {
    LC_ALL=C apt-cache policy "$1" |
      awk '$1 == "Candidate:" && $2 != "(none)" { sub(/^[0-9]+:/, "", $2); print $2 }'
  }
else
  available() { dnf --quiet repoquery --latest-limit 1 --queryformat '%{version}\n' "$1" | tail -n 1; }
fi

while read -r -a set; do
  [ "${#set[@]}" != 0 ] || continue
  for package in "${set[@]}"; do
    version=$(available "$package")
    [ -n "$version" ] || continue 2
  done
  printf '%s\n' "${set[@]}"
  break
done <<<"${engines:-}"

for package in ${plugins:-}; do
  version=$(available "$package")
  case $version in
    "" | [01].*) ;;
    *)
      echo "$package"
      break
      ;;
  esac
done
