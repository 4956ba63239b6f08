#!/bin/bash
# Run by run.sh as process 1 of fresh namespaces: `inside.sh GROUP join|measure WORD...`
# Joins the control group, makes it the root of what can be seen, hides the machine's run directories and measures.
set -euo pipefail

group=$1 phase=$2
shift 2

join_groups() {
  local root
  while read -r root; do
    if [ -d "$root/$group" ]; then echo 0 >"$root/$group/cgroup.procs"; fi
  done < <(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts)
}

# In a namespace of control groups, a fresh mount shows the joined group as the root. Where version 1 does the
# limiting, version 2 is left out: crun refuses to work with both.
mount_groups() {
  local controllers folder
  if ! grep -q ' cgroup rw' /proc/mounts; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # Only a group without processes of its own may hand controllers down.
    mkdir /sys/fs/cgroup/harness
    echo 0 >/sys/fs/cgroup/harness/cgroup.procs
    sed 's/[a-z_]\+/+&/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    return
  fi
  mount -t tmpfs cgroup /sys/fs/cgroup
  while IFS=: read -r _ controllers _; do
    if [ -z "$controllers" ]; then continue; fi
    folder=/sys/fs/cgroup/${controllers#name=}
    mkdir "$folder"
    mount -t cgroup -o "${controllers/#name=/none,name=}" cgroup "$folder"
  done </proc/self/cgroup
}

if [ "$phase" = join ]; then
  join_groups
  exec unshare --cgroup bash "$0" "$group" measure "$@"
fi
mount_groups
# Sockets, locks and pid files of the machine's own engines are neither seen nor touched.
mount -t tmpfs -o mode=755,size=75% tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# Images and containers, too, unless --directory says otherwise: /run is in memory.
export TMPDIR=/run
ip link set lo up 2>/dev/null || true
# Not by exec: process 1 is to be the shell, which collects the orphans.
status=0
node scripts/bench/main.ts "$@" || status=$?
exit "$status"
