#!/bin/bash
# Makes a virtual machine ready for kago: the quickstart, then the installation, then the user may call kago.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
. scripts/common.sh
need_root provision

scripts/quickstart.sh
scripts/install.sh
user=${1:-vagrant}
if id "$user" >/dev/null 2>&1; then usermod -aG kago "$user"; fi
kago version
