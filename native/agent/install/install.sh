#!/bin/sh
# Installs the agent in this guest: ./install.sh [FOLDER]. FOLDER: below which, default /. An existing configuration stays.
set -eu
root=${1:-}
here=$(cd "$(dirname "$0")" && pwd)
binary=$here/vmpulse-agent
[ -x "$binary" ] || binary=$here/../build/vmpulse-agent
[ -x "$binary" ] || {
  echo "install.sh: no vmpulse-agent beside it; build it with: npm run build:agent" >&2
  exit 1
}

install -D -m 0755 "$binary" "$root/usr/local/sbin/vmpulse-agent"
config=$root/etc/vmpulse-agent.toml
[ -e "$config" ] || install -D -m 0600 "$here/vmpulse-agent.toml" "$config"
"$root/usr/local/sbin/vmpulse-agent" --config "$config" --check
if [ -d "$root/etc/systemd/system" ]; then
  install -D -m 0644 "$here/vmpulse-agent.service" "$root/etc/systemd/system/vmpulse-agent.service"
  if [ -z "$root" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --now vmpulse-agent.service
    systemctl restart vmpulse-agent.service
  fi
else
  echo "install.sh: there is no systemd here; have your init run /usr/local/sbin/vmpulse-agent" >&2
fi
