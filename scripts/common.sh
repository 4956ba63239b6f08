# shellcheck shell=bash
# What the scripts share: one line per step, long output in a log, packages by apt only when missing. Sourced.

export DEBIAN_FRONTEND=noninteractive
kago_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
kago_logs=$kago_root/.cache/logs

say() { printf '%s\n' "$*"; }

# fail MESSAGE [HINT]: two lines at most, as the command line does it.
fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  if [ -n "${2:-}" ]; then printf '  %s\n' "$2" >&2; fi
  exit 1
}

need_root() {
  if [ "$(id -u)" -ne 0 ]; then fail "$1 needs root" "run: sudo $0"; fi
}

# step TITLE COMMAND...: runs quietly; on failure shows the end of the output and names the log.
step() {
  local title=$1 log
  shift
  mkdir -p "$kago_logs"
  log=$kago_logs/$(printf '%s' "$title" | tr -c 'a-zA-Z0-9\n' '-').log
  say "==> $title"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    fail "could not $title" "the whole output is in $log"
  fi
}

# missing_packages NAME...: prints the Debian packages of the list that are not installed.
missing_packages() {
  local installed name
  installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^ii *//p' | tr '\n' ' ')"
  for name in "$@"; do
    case $installed in *" $name "*) ;; *) printf '%s ' "$name" ;; esac
  done
}

apt_install() {
  apt-get update -q && apt-get install -q -y --no-install-recommends "$@"
}

# need_packages NAME...: installs those that are missing; says nothing when all are there.
need_packages() {
  local missing
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then return; fi
  if ! command -v apt-get >/dev/null; then
    fail "these Debian packages are missing: $missing" 'install them by hand: this machine has no apt-get'
  fi
  if [ "$(id -u)" -ne 0 ]; then fail "these packages are missing: $missing" "run: sudo apt-get install $missing"; fi
  # The list is split on purpose: it is made of package names.
  # shellcheck disable=SC2086
  step "install ${missing% }" apt_install $missing
}

# want_packages NAME...: the same for what kago only works better with: where they cannot be had, it goes on without.
want_packages() { (need_packages "$@") || say "going on without: $*"; }

# The pid of a daemon that runs on the given run root; nothing when none does.
daemon_pid() {
  local pid
  pid=$(cat "$1/kagod.pid" 2>/dev/null || true)
  pid=${pid%%[!0-9]*}
  if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q kagod; then printf '%s' "$pid"; fi
}

# wait_until SECONDS COMMAND...: asks every tenth of a second.
wait_until() {
  local tenths=$(($1 * 10))
  shift
  while [ "$tenths" -gt 0 ]; do
    if "$@"; then return 0; fi
    sleep 0.1
    tenths=$((tenths - 1))
  done
  return 1
}

is_gone() { ! [ -d "/proc/$1" ]; }

# Ends the daemon of a run root, if there is one. Its containers go on.
stop_daemon() {
  local pid
  pid=$(daemon_pid "$1")
  if [ -z "$pid" ]; then return; fi
  kill -TERM "$pid"
  wait_until 15 is_gone "$pid" || fail "kagod (pid $pid) does not end" "see /var/log/kagod.log, or: kill -9 $pid"
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
