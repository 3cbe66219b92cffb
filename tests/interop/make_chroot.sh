#!/usr/bin/env bash
# make_chroot.sh DIR: Debian testing with Hugging Face's own clients, for interop_test.py. Needs
# root, debootstrap, the network, and about 3 GB (600 MB with --no-torch).
set -euo pipefail
dir=${1:?usage: make_chroot.sh DIR [--no-torch]}
packages=(python3-huggingface-hub)
[ "${2:-}" = --no-torch ] || packages+=(python3-transformers python3-torch python3-safetensors)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

[ -e "$dir/etc/debian_version" ] ||
  debootstrap --variant=minbase --include=ca-certificates testing "$dir" "$mirror"
# Packages must not start services on this machine.
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod +x "$dir/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
chroot "$dir" apt-get update -qq
chroot "$dir" apt-get install -y -qq --no-install-recommends "${packages[@]}"
chroot "$dir" python3 -c 'import huggingface_hub as h; print("huggingface_hub", h.__version__)'
