#!/bin/bash
# The promise of the README tried for real: a fresh Debian 12 with nothing but make and the checkout (the
# committed state), in which "make demo" and "make check" must succeed and change nothing but packages.
# Needs root, debootstrap and the Debian mirror that this machine's apt uses. Takes about half an hour.
# Usage: debootstrap_trial.sh [--keep] [--dir DIR] [TARGET...]
#   TARGET   make targets to try instead of: demo demo-clean check
#   --keep   leaves the trial system for a look;  --dir DIR tries in a system that an earlier run kept
. "$(dirname "$0")/common.sh"

keep='' root=''
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --dir) root=$(realpath "$2") keep=yes; shift ;;
    --help | -h) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit ;;
    -*) die "unknown option $1 (see --help)" ;;
    *) break ;;
    esac
    shift
done
targets=("$@")
[ $# -gt 0 ] || targets=(demo demo-clean check)

[ "$(id -u)" = 0 ] || die "a fresh Debian can only be made by root"
# In a mount and process namespace of its own everything the trial starts or mounts ends with it.
if [ -z "${BILLSTACK_TRIAL:-}" ]; then
    BILLSTACK_TRIAL=yes exec unshare --mount --pid --fork --kill-child -- "$0" \
        ${keep:+--keep} ${root:+--dir "$root"} "${targets[@]}"
fi

# shellcheck disable=SC2016 # $(SITE) is apt's
site_of() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $1" | head -n 1; }

# The mirror, proxy and credentials of apt on this machine, whatever they are.
mirror=$(site_of bookworm)
mirror=${mirror:-http://deb.debian.org/debian}
copy_apt_settings() {
    apt-config dump | grep -iE '^Acquire::(https?|ftp)?:*.*proxy' >"$root/etc/apt/apt.conf.d/99trial" || true
    if [ -e /etc/apt/auth.conf ]; then cp -p /etc/apt/auth.conf "$root/etc/apt/"; fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cat >"$root/etc/apt/sources.list" <<END
deb $mirror bookworm main
deb $mirror bookworm-updates main
END
    local security
    security=$(site_of bookworm-security)
    if [ -n "$security" ]; then echo "deb $security bookworm-security main" >>"$root/etc/apt/sources.list"; fi
}

# Certificates that this machine trusts beside Debian's: npm's registry may stand behind one of them.
copy_trust() {
    if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
        mkdir -p "$root/usr/local/share/ca-certificates"
        cp -L /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
        in_trial update-ca-certificates >/dev/null 2>&1
    fi
}

in_trial() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt} \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} chroot "$root" "$@"; }

if [ -z "$root" ]; then
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/billstack-trial.XXXXXX")
    chmod 755 "$root"
    note "Debian 12 from $mirror into $root ..."
    debootstrap --variant=minbase --include=make,ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; die "debootstrap failed"; }
    rm -f "$root.log"
    copy_apt_settings
    copy_trust
fi
finish() { if [ -z "$keep" ]; then umount -R "$root/proc" "$root/dev/pts" "$root/dev/shm" && rm -rf --one-file-system "$root"; fi; }
trap finish EXIT

mount -t proc proc "$root/proc"
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
mount -t tmpfs tmpfs "$root/dev/shm"

# Where a newcomer's clone lies: in root's home, which the user postgres cannot enter.
rm -rf "$root/root/billstack"
mkdir -p "$root/root/billstack"
git -C "$top" archive HEAD | tar -C "$root/root/billstack" -xf -

results=() failed=
try() {
    local name=$1 start=$SECONDS
    shift
    printf '\n==== %s ====\n' "$name"
    if in_trial "$@"; then results+=("ok    $name ($((SECONDS - start)) s)")
    else results+=("FAIL  $name ($((SECONDS - start)) s)") failed=yes; fi
}

for target in "${targets[@]}"; do try "make $target" make -C /root/billstack "$target"; done
# shellcheck disable=SC2016 # expanded in the trial system
try 'nothing but packages changed' sh -c '
    left=$(ls -d /etc/postgresql-common/createcluster.d/?* /etc/postgresql/*/* /var/lib/postgresql/*/* \
        /usr/share/postgresql/*/extension/billstack* /usr/lib/postgresql/*/lib/billstack* 2>/dev/null)
    test -z "$left" || { echo "left behind: $left"; exit 1; }'

printf '\n==== Trial of %s on Debian %s ====\n' "$(git -C "$top" rev-parse --short HEAD)" "$(cat "$root/etc/debian_version")"
printf '%s\n' "${results[@]}"
if [ -n "$keep" ]; then echo "kept: $root"; fi
[ -z "$failed" ]
