#!/usr/bin/env bash
# Says in JSON how Docker stands on this host. Changes nothing.
#
#   engine    whether there is an engine, running or not
#   compose   the version of the Compose plugin, if it is 2 or newer
#   machine   the system and the processor, as uname says them
#   daemon    what is in daemon.json
#   problems  what keeps the role from its work
set -euo pipefail

compose=$(docker compose version --short 2>/dev/null || true)
python3 - "$(command -v dockerd || true)" "$compose" "$(uname -sm)" <<'PYTHON'
import json, os, sys

engine, compose, machine = sys.argv[1:]
daemon, problems = {}, []
path = "/etc/docker/daemon.json"
try:
    with open(path) as file:
        daemon = json.loads(file.read().strip() or "{}")
    if not isinstance(daemon, dict):
        raise ValueError("it is not an object")
except FileNotFoundError:
    pass
except (OSError, ValueError) as error:
    problems.append("%s can't be read: %s\nhint: mend it by hand, or remove it" % (path, error))
if not os.path.isdir("/run/systemd/system"):
    problems.append("systemd does not run here, and it is what starts the engine\nhint: this role is for servers")
compose = compose.lstrip("v")
if compose.partition(".")[0] in ("", "0", "1"):
    compose = ""
print(json.dumps(dict(engine=bool(engine), compose=compose, machine=machine, daemon=daemon, problems=problems)))
PYTHON
