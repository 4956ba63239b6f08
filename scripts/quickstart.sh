#!/bin/bash
# From a fresh Debian or Ubuntu to a running container: sudo ./scripts/quickstart.sh
# Installs what is missing, builds, starts kagod and runs a container that needs no network.
# Running it again does only what is still to be done.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
. scripts/common.sh

run_root=/run/kago
log=/var/log/kagod.log
kago=dist/bin/kago

need_root 'quickstart (it installs packages and starts a daemon)'
need_packages runc iproute2 nftables util-linux busybox-static gcc libc6-dev make ca-certificates
# A quicker gunzip for the layers of images.
want_packages isal
. scripts/node.sh
step 'build kago' node scripts/build.ts

answers() { "$kago" version >/dev/null 2>&1; }

# Ready, or dead already: both end the waiting.
answers_or_died() { answers || is_gone "$started"; }

start_detached() {
  say "==> start kagod (log: $log)"
  setsid dist/bin/kagod >>"$log" 2>&1 </dev/null &
  started=$!
  wait_until 20 answers_or_died || true
  if ! answers; then
    tail -n 10 "$log" >&2
    fail 'kagod did not start' "the whole log is in $log"
  fi
}

start_installed() {
  step 'start kagod (systemd unit kagod)' systemctl start kagod
  wait_until 20 answers || fail 'kagod does not answer' 'see: journalctl -u kagod'
}

is_installed() { has_systemd && [ -e /etc/systemd/system/kagod.service ]; }

is_in_path() { command -v kago >/dev/null; }

pid=$(daemon_pid "$run_root")
if [ -n "$pid" ] && ! is_installed && [ dist/kagod.mjs -nt "$run_root/kagod.pid" ]; then
  say '==> stop kagod: there is a newer build (containers go on)'
  stop_daemon "$run_root"
  pid=
fi
if [ -n "$pid" ] && answers; then
  say "==> kagod is running (pid $pid)"
elif is_installed; then
  start_installed
else
  start_detached
fi

say "==> run a container: kago run --rm localhost/busybox echo 'hello from a container'"
"$kago" run --rm localhost/busybox echo 'hello from a container' || fail 'the container did not run' "see $log"

if is_in_path; then type=kago; else type="sudo $kago"; fi
cat <<NEXT

kago works. Try:
  $type run --rm -it localhost/busybox sh
  $type run -d --name web localhost/busybox sleep 1000
  $type ps
  $type exec -it web sh
  $type rm -f web
  $type run --rm alpine cat /etc/os-release     # from Docker Hub
  $type info                                    # what this machine offers
NEXT
if ! is_in_path; then say '
Put kago in your PATH, with a systemd unit and completion: sudo ./scripts/install.sh'; fi
