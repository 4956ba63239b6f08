# shellcheck shell=bash
# Puts a Node that kago accepts (24.15 or later) first in PATH, installing the dependencies when the lock
# file has changed. Sourced, after common.sh; costs a few milliseconds when everything is there.

kago_stamp=${kago_root:?}/node_modules/.kago-stamp

# What was installed: the lock file, and the edition of the recipe below (raise it when the recipe changes).
installation_key() {
  { echo 'edition 1'; cat "$kago_root/package-lock.json"; } | sha256sum | cut -d ' ' -f 1
}

node_is_new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 24 || (a === 24 && b >= 15) ? 0 : 1)' 2>/dev/null
}

pinned_node_directory() {
  local directory
  for directory in "$kago_root"/node_modules/node-linux-{x64,arm64}/bin; do
    if [ -x "$directory/node" ]; then printf '%s' "$directory"; return; fi
  done
}

# The pinned Node unless the system has a good one: its own version need not be asked.
use_node() {
  local pinned
  pinned=$(pinned_node_directory)
  if command -v node >/dev/null && node_is_new_enough node; then
    PATH=$kago_root/node_modules/.bin:$PATH
  elif [ -n "$pinned" ]; then
    PATH=$pinned:$kago_root/node_modules/.bin:$PATH
  else
    fail 'no Node 24.15 or later' "install Node 24, or remove $kago_root/node_modules and run this again"
  fi
  export PATH
}

# node-pty ships no binary for Linux. It is one C++ file; compiling it here needs neither python nor
# the headers that node-gyp would fetch: they came with the pinned Node.
compile_node_pty() {
  local package=$kago_root/node_modules/node-pty headers
  headers=$(node -p 'require("node:path").join(process.execPath, "../../include/node")')
  if [ ! -f "$headers/node_api.h" ]; then headers=$(pinned_node_directory)/../include/node; fi
  mkdir -p "$package/build/Release"
  g++ -std=c++17 -O2 -Wall -fPIC -shared -D_FORTIFY_SOURCE=2 -DNODE_GYP_MODULE_NAME=pty -DBUILDING_NODE_EXTENSION \
    -DNODE_ADDON_API_DISABLE_DEPRECATED -DNAPI_CPP_EXCEPTIONS -fexceptions \
    -I "$headers" -I "$kago_root/node_modules/node-addon-api" \
    -o "$package/build/Release/pty.node.new" "$package/src/unix/pty.cc" -lutil
  mv "$package/build/Release/pty.node.new" "$package/build/Release/pty.node"
  node -e 'require(process.argv[1])' "$package"
}

install_dependencies() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then need_packages nodejs npm; fi
  need_packages g++ libc6-dev
  step 'install the npm packages' npm ci --ignore-scripts --no-audit --no-fund --prefix "$kago_root"
  use_node
  step 'compile node-pty' compile_node_pty
  installation_key >"$kago_stamp"
}

# Two scripts started at once must not both replace node_modules.
ensure_dependencies() {
  local lock
  if [ "$(cat "$kago_stamp" 2>/dev/null)" = "$(installation_key)" ]; then use_node; return; fi
  mkdir -p "$kago_root/.cache"
  exec {lock}>"$kago_root/.cache/install.lock"
  flock "$lock"
  if [ "$(cat "$kago_stamp" 2>/dev/null)" = "$(installation_key)" ]; then use_node; else install_dependencies; fi
  exec {lock}>&-
}

ensure_dependencies
