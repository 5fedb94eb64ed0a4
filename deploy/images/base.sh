#!/bin/sh
# Writes a base image as a tar on standard output: the machine's own Debian, its Python, and no more than they need.
# Needs root and debootstrap. The mirror is the one this machine's apt uses.
set -eu
. /etc/os-release
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
  awk -v release="$VERSION_CODENAME" '$1 == release { print $2; exit }')
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
export http_proxy="${http_proxy-}"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates,python3,tzdata "$VERSION_CODENAME" "$root" "$mirror" >&2

# What installs, configures and formats is of no use in an image that nobody changes.
chroot "$root" dpkg --purge --force-all apt gpgv debian-archive-keyring adduser e2fsprogs logsave mount openssl \
  libapt-pkg6.0 libgnutls30 libext2fs2 debconf perl-base >&2
rm -rf "$root"/dev/* "$root"/tmp/* "$root"/var/cache/* "$root"/var/log/* "$root"/var/lib/apt "$root"/var/lib/dpkg/info \
  "$root"/usr/share/doc "$root"/usr/share/info "$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/share/lintian \
  "$root"/usr/share/bash-completion "$root"/usr/share/gcc "$root"/usr/share/gdb "$root"/usr/share/perl5 "$root"/etc/apt "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/etc/machine-id

echo 'highsea:x:10001:10001::/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'highsea:x:10001:' >>"$root/etc/group"
# Compiled bytecode notes the time of its source, so times stay as the packages have them; only ours are evened out.
tar --create --directory "$root" --sort=name --numeric-owner --mtime=@0 --clamp-mtime .
