#!/bin/bash
# Installs kago: sudo ./scripts/install.sh   Removes it: sudo ./scripts/install.sh --uninstall
# DESTDIR and PREFIX are honoured; with DESTDIR the running system (group, systemd) is left alone.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
. scripts/common.sh

usage() {
  cat <<'USAGE'
usage: sudo ./scripts/install.sh [--uninstall [--purge [--force]]]
  --uninstall  remove the programs; images, containers and volumes are kept
  --purge      remove them too; refused while containers run
  --force      with --purge: kill the containers that run
environment: PREFIX (default /usr/local), DESTDIR (default empty)
USAGE
}

uninstall='' purge='' force=''
for word in "$@"; do
  case $word in
    --uninstall) uninstall=1 ;;
    --purge) purge=1 ;;
    --force) force=1 ;;
    -h | --help) usage && exit ;;
    *) fail "unknown option $word" 'see: ./scripts/install.sh --help' ;;
  esac
done
if [ -n "$purge" ] && [ -z "$uninstall" ]; then fail '--purge goes with --uninstall'; fi
if [ -n "$force" ] && [ -z "$purge" ]; then fail '--force goes with --purge'; fi

prefix=${PREFIX:-/usr/local}
dest=${DESTDIR:-}
case $prefix in /*) ;; *) fail "PREFIX must be an absolute path, not $prefix" ;; esac
library=$dest$prefix/lib/kago
unit=$dest/etc/systemd/system/kagod.service
bash_completion=$dest$prefix/share/bash-completion/completions/kago
zsh_completion=$dest$prefix/share/zsh/site-functions/_kago
fish_completion=$dest$prefix/share/fish/vendor_completions.d/kago.fish
data_root=/var/lib/kago run_root=/run/kago firewall_table=kago
if [ -z "$dest" ]; then need_root install; fi

# The new tree is made beside the old one and takes its place in one move.
copy_programs() {
  local new=$library.new package
  rm -rf "$new"
  mkdir -p "$new/node_modules/node-pty/build/Release" "$new/node_modules/@koromix" "$dest$prefix/bin"
  cp -a dist/{kago.cjs,cli.cjs,cli.bytecode,kagod.mjs,unpack-layer.mjs,tree.mjs,kago-shim,kago-init,images,bin} LICENSE "$new/"
  cp -aL "$(node -p process.execPath)" "$new/node"
  cp -a node_modules/koffi "$new/node_modules/"
  for package in node_modules/@koromix/koffi-linux-*; do cp -a "$package" "$new/node_modules/@koromix/"; done
  cp -a node_modules/node-pty/{package.json,LICENSE,lib} "$new/node_modules/node-pty/"
  cp -a node_modules/node-pty/build/Release/pty.node "$new/node_modules/node-pty/build/Release/"
  chown -R "$(id -u):$(id -g)" "$new"
  chmod -R go-w,a+rX "$new"
  rm -rf "$library.old"
  if [ -e "$library" ]; then mv "$library" "$library.old"; fi
  mv "$new" "$library"
  rm -rf "$library.old"
  ln -sfn ../lib/kago/bin/kago "$dest$prefix/bin/kago"
  ln -sfn ../lib/kago/bin/kagod "$dest$prefix/bin/kagod"
}

copy_unit_and_completion() {
  mkdir -p "${unit%/*}"
  sed "s|@PREFIX@|$prefix|" scripts/kagod.service >"$unit"
  install -D -m 644 dist/completion/kago.bash "$bash_completion"
  install -D -m 644 dist/completion/kago.zsh "$zsh_completion"
  install -D -m 644 dist/completion/kago.fish "$fish_completion"
}

add_group() {
  if ! getent group kago >/dev/null; then groupadd --system kago; fi
}

# A daemon that quickstart started gives way to the unit's; the containers do not notice.
start_unit() {
  systemctl daemon-reload
  systemctl enable kagod
  if systemctl is-active --quiet kagod; then
    systemctl restart kagod
  else
    stop_daemon "$run_root"
    systemctl start kagod
  fi
}

install_all() {
  . scripts/node.sh
  step 'build kago' node scripts/build.ts
  step "copy kago to $library" copy_programs
  step 'copy the systemd unit and the shell completion' copy_unit_and_completion
  if [ -n "$dest" ]; then return; fi
  step 'make the group kago' add_group
  if has_systemd; then
    step 'start kagod (systemd unit kagod)' start_unit
  else
    say "no systemd runs here: start the daemon with: kagod"
  fi
  say "installed: $prefix/bin/kago, $prefix/bin/kagod"
  if [ -n "${SUDO_USER:-}" ] && ! id -nG "$SUDO_USER" | grep -qw kago; then
    say "to use kago without sudo (this is as good as being root): sudo usermod -aG kago $SUDO_USER, then log in again"
  fi
}

# The roots that the configuration names, when there is one.
read_roots() {
  local node=$library/node
  if [ ! -f /etc/kago/kagod.json ] || [ ! -x "$node" ]; then return; fi
  # shellcheck disable=SC2016 # the words in quotes are JavaScript
  { read -r data_root; read -r run_root; read -r firewall_table; } < <("$node" -e '
    const { dataRoot, runRoot, firewallTable } = JSON.parse(require("node:fs").readFileSync("/etc/kago/kagod.json", "utf8"))
    console.log(`${dataRoot ?? "/var/lib/kago"}\n${runRoot ?? "/run/kago"}\n${firewallTable ?? "kago"}`)')
}

# Prints the pids of the shims that watch this run root's containers: one per running container.
shims() {
  local comm pid
  for comm in /proc/[0-9]*/comm; do
    if ! grep -qxs kago-shim "$comm"; then continue; fi
    pid=${comm#/proc/} pid=${pid%/comm}
    if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$run_root/containers/"; then echo "$pid"; fi
  done
}

has_no_shims() { [ -z "$(shims)" ]; }

kill_containers() {
  local file pid
  for file in "$run_root"/containers/*/pid; do
    if [ ! -f "$file" ]; then continue; fi
    pid=$(cat "$file")
    # A shim still watches it, so the number cannot have gone to somebody else.
    if [ -n "$(shims)" ] && [ -d "/proc/$pid" ]; then kill -KILL "$pid" || true; fi
  done
  wait_until 15 has_no_shims
}

unmount_below() {
  local target
  while read -r target; do umount -l -- "$target"; done < <(
    awk -v below="$1/" 'index($2 "/", below) == 1 { print $2 }' /proc/self/mounts | tac
  )
}

# Of an empty cgroup only the directories are left; one that is in use stays, and says so in the log.
remove_cgroups() {
  local top
  for top in /sys/fs/cgroup/kago /sys/fs/cgroup/*/kago; do
    if [ -d "$top" ]; then find "$top" -depth -type d -exec rmdir {} + || true; fi
  done
}

# Links bear a mark that stands for the data root: another kagod's stay.
remove_networks() {
  local root=$data_root mark link
  if [ "$root" = /var/lib/kago ]; then root=/var/lib/kago/v1; fi
  mark="kago $(printf %s "$root" | sha256sum | cut -c1-12) "
  for link in /sys/class/net/*; do
    case $(cat "$link/ifalias" 2>/dev/null) in
      "$mark"*) ip link delete "${link##*/}" 2>/dev/null || : ;;
    esac
  done
  nft delete table inet "$firewall_table" 2>/dev/null || :
}

remove_data() {
  local root
  for root in "$run_root" "$data_root"; do
    unmount_below "$root"
    rm -rf --one-file-system -- "$root"
  done
  remove_cgroups
  rm -rf /etc/kago /var/log/kagod.log
  if getent group kago >/dev/null; then groupdel kago; fi
}

remove_programs() {
  rm -rf "$library" "$library.new" "$library.old"
  rm -f "$dest$prefix"/bin/kago "$dest$prefix"/bin/kagod "$unit" \
    "$bash_completion" "$zsh_completion" "$fish_completion"
}

stop_unit() {
  if has_systemd && [ -e "$unit" ]; then systemctl disable --now kagod; fi
  stop_daemon "$run_root"
}

uninstall_all() {
  if [ -n "$dest" ]; then
    step 'remove the programs' remove_programs
    return
  fi
  read_roots
  local count
  count=$(shims | wc -l)
  if [ "$count" -gt 0 ] && [ -n "$purge" ] && [ -z "$force" ]; then
    fail "$count containers run" 'stop them (kago stop), or kill them with --force'
  fi
  step 'stop kagod' stop_unit
  if [ -n "$purge" ]; then step 'kill the containers' kill_containers; fi
  step 'remove the programs' remove_programs
  if has_systemd; then step 'tell systemd' systemctl daemon-reload; fi
  if [ -n "$purge" ]; then
    step 'remove bridges, links and firewall rules' remove_networks
    step 'remove images, containers and volumes' remove_data
    say 'removed kago and all its data'
  else
    if [ "$count" -gt 0 ]; then say "$count containers still run; kago finds them again when it is installed again"; fi
    say "removed kago; its data is kept in $data_root (--uninstall --purge removes it too)"
  fi
}

if [ -n "$uninstall" ]; then uninstall_all; else install_all; fi
