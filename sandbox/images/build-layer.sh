#!/bin/bash
# Builds one layer over the base: packages, copied files, setup script.
# Runs in a mount namespace of its own, so that no mount outlives it.
# usage: build-layer.sh BASE WORK INPUT PACKAGE…    INPUT: a directory with files/ (laid over the root) and setup.sh
set -euo pipefail
base=$1 work=$2 input=$3
shift 3
root=$work/merged
mkdir -p "$work/upper" "$work/work" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/var/cache/apt/archives"

if [ $# -gt 0 ]; then
  touch "$root/etc/resolv.conf"
  mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
  install() { inside apt-get -q -y --no-install-recommends install "$@"; }
  # The lists of a base that was made long ago name packages that are gone.
  install "$@" || { inside apt-get -q update && install "$@"; }
  umount "$root/etc/resolv.conf"
  rm -f "$root/etc/resolv.conf" "$root/usr/sbin/policy-rc.d"
fi

cp -a --no-preserve=ownership "$input/files/." "$root/"
if [ -e "$input/setup.sh" ]; then
  cp "$input/setup.sh" "$root/tmp/setup.sh"
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh /tmp/setup.sh
fi
umount "$root/tmp" "$root/var/cache/apt/archives" "$root/proc"
umount -R -l "$root/dev"

# What the layer takes away from the base becomes a mark beside it, as the image format wants it.
skip=(-path ./proc -o -path ./dev -o -path ./var/lib/apt/lists -o -path ./var/cache/apt)
gone=$(comm -23 <(cd "$base" && find . \( "${skip[@]}" \) -prune -o -print | sort) <(cd "$root" && find . \( "${skip[@]}" \) -prune -o -print | sort))
umount "$root"
find "$work/upper" -type c -delete
while IFS= read -r path; do
  [ -n "$path" ] || continue
  parent=$work/upper/$(dirname "$path")
  # Below something that is gone itself there is no place for a mark, and no need.
  [ ! -d "$parent" ] || touch "$parent/.wh.$(basename "$path")"
done <<<"$gone"

tar -C "$work/upper" --numeric-owner --sort=name -cf "$work/layer.tar" \
  --exclude=./var/lib/apt/lists/* --exclude=./var/cache/apt/* --exclude=./var/cache/debconf/*-old \
  --exclude=./var/log/apt --exclude=./var/log/dpkg.log --exclude=./var/log/alternatives.log \
  --exclude=./var/lib/dpkg/*-old --exclude=./dev --exclude=./proc --exclude=./tmp .
