#!/bin/bash
# Installs what the tests need and runs them all: sudo ./scripts/test.sh [--unit | --static | …] [vitest words]
# Ends with `N passed, N failed`, counting each static check as one.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'USAGE'
usage: sudo ./scripts/test.sh [KIND]... [WORD]...
  KIND  --static (types, lint, format, dead code, imports, builds) or a kind of test:
        --unit --contract --integration --hostile --protocol --e2e --crash; all of them by default
  WORD  goes to vitest: a part of a file's name, -t 'a part of a test name', …
USAGE
}

kinds=() words=()
for word in "$@"; do
  case $word in
    --static | --unit | --contract | --integration | --hostile | --protocol | --e2e | --crash) kinds+=("${word#--}") ;;
    -h | --help) usage && exit ;;
    *) words+=("$word") ;;
  esac
done

. scripts/common.sh
need_root 'the test suite (mounts, namespaces, cgroups)'
. scripts/node.sh
if ! [ -t 1 ]; then export NO_COLOR=1; fi
passed=0 failed=0
results=$kago_root/.cache/test
mkdir -p "$results" "$kago_logs"

wants() {
  local kind
  if [ ${#kinds[@]} -eq 0 ]; then [ ${#words[@]} -eq 0 ] || [ "$1" != static ]; return; fi
  for kind in "${kinds[@]}"; do if [ "$kind" = "$1" ]; then return 0; fi; done
  return 1
}

# check NAME COMMAND...: one static check, one line.
check() {
  local name=$1 started=$SECONDS log
  shift
  log=$kago_logs/check-${name//[^a-z0-9]/-}.log
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    printf 'ok      %s (%ss)\n' "$name" $((SECONDS - started))
  else
    failed=$((failed + 1))
    printf 'FAILED  %s (%ss)\n' "$name" $((SECONDS - started))
    tail -n 30 "$log" | cut -c 1-200 | sed 's/^/        /'
  fi
}

need_packages runc iproute2 nftables util-linux busybox-static gcc g++ libc6-dev make ca-certificates \
  docker-registry debootstrap libcap2-bin zstd attr openssl e2fsprogs procps curl shellcheck isal bind9-dnsutils

check build node scripts/build.ts
if wants static; then
  check types tsc --noEmit
  check lint oxlint --deny-warnings --format=unix
  check format biome format .
  check 'dead code' knip
  check 'import direction' node scripts/check-imports.ts
  check 'c with sanitizers' make --silent -C daemon/shim OUT="$kago_root/dist" sanitize
  check 'shell scripts' shellcheck -x -P SCRIPTDIR scripts/*.sh .ci/run
  if command -v vagrant >/dev/null; then check vagrantfile vagrant validate --ignore-provider; fi
fi

projects=()
for kind in unit contract integration hostile protocol e2e crash; do
  if wants "$kind"; then projects+=(--project "$kind"); fi
done
if [ ${#projects[@]} -gt 0 ]; then
  rm -f "$results/vitest.json"
  status=0
  # A run that hangs must end, and count as failed, before anybody gives up on it.
  timeout --foreground --kill-after=30 1500 vitest run --passWithNoTests \
    --reporter=default --reporter=json --outputFile.json="$results/vitest.json" \
    "${projects[@]}" ${words[@]+"${words[@]}"} </dev/null || status=$?
  read -r more_passed more_failed < <(node scripts/count-tests.ts "$results/vitest.json" "$status")
  passed=$((passed + more_passed)) failed=$((failed + more_failed))
fi

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
