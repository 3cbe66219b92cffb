#!/usr/bin/env bash
# make_chroot.sh DIR [--no-torch]: Debian testing with Hugging Face's own clients and llama.cpp, for
# interop_test.py. Needs root, debootstrap, the network, and about 3 GB (800 MB with --no-torch).
# An older huggingface_hub beside them: unpack its source somewhere in DIR, and name the folder that
# has the package huggingface_hub, as seen from inside, in HARAMBEE_INTEROP_OLD_CLIENT.
set -euo pipefail
dir=${1:?usage: make_chroot.sh DIR [--no-torch]}
packages=(python3-huggingface-hub python3-requests llama.cpp llama.cpp-tools python3-gguf)
[ "${2:-}" = --no-torch ] || packages+=(python3-transformers python3-torch python3-safetensors)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

[ -e "$dir/etc/debian_version" ] ||
  debootstrap --variant=minbase --include=ca-certificates testing "$dir" "$mirror"
# Packages must not start services on this machine.
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod +x "$dir/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# A mirror that lags behind is good enough here; what it has is signed all the same.
chroot "$dir" apt-get -o Acquire::Check-Valid-Until=false update -qq
chroot "$dir" apt-get install -y -qq --no-install-recommends "${packages[@]}"
chroot "$dir" python3 -c 'import huggingface_hub as h; print("huggingface_hub", h.__version__)'
