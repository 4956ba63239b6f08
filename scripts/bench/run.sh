#!/bin/bash
# Measures kago beside Docker, Podman and bare runc, whichever are installed: sudo ./scripts/bench/run.sh
# Everything happens in namespaces and a control group of its own; both end with this script, however it ends.
# Functions called by a trap or by wait_until look unused to shellcheck.
# shellcheck disable=SC2317
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

usage() {
  cat <<'USAGE'
usage: sudo ./scripts/bench/run.sh [OPTION]... [NAME]...
  NAME             of a benchmark (see --list); all of them by default
  --quick          3 paired runs instead of 15
  --runs N         so many paired runs
  --engines A,B    only these: kago,docker,podman,runc
  --directory DIR  keep images and containers there instead of in memory
  --markdown FILE  write the tables there too
  --json FILE      write every sample there too
  --list           print the benchmarks
USAGE
}

for word in "$@"; do
  case $word in -h | --help) usage && exit ;; esac
done

. scripts/common.sh
need_root 'the benchmark (namespaces, cgroups)'
need_packages runc util-linux busybox-static gcc libc6-dev make
. scripts/node.sh
step 'build kago' node scripts/build.ts

group=kago-bench-$$

cgroup_roots() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

make_groups() {
  local root file
  while read -r root; do
    mkdir "$root/$group" 2>/dev/null || continue
    # A cpuset of version 1 starts empty, and nothing can run in an empty one.
    for file in cpuset.cpus cpuset.mems; do
      if [ -e "$root/release_agent" ] && [ -e "$root/$file" ]; then cat "$root/$file" >"$root/$group/$file"; fi
    done
  done < <(cgroup_roots)
}

remove_groups() {
  local root
  while read -r root; do
    if [ -d "$root/$group" ]; then find "$root/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done < <(cgroup_roots)
}

groups_are_gone() {
  local root
  remove_groups
  while read -r root; do if [ -d "$root/$group" ]; then return 1; fi; done < <(cgroup_roots)
}

child=
# Process 1 of the namespace dies with its parent, and everything in the namespace with process 1.
finish() {
  if [ -n "$child" ]; then kill -KILL "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; fi
  wait_until 10 groups_are_gone || say "could not remove the control groups $group"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

make_groups
unshare --mount --pid --net --fork --kill-child=KILL --mount-proc \
  bash scripts/bench/inside.sh "$group" join "$@" &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
