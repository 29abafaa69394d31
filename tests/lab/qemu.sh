#!/bin/sh
# Runs a command as root under a Debian kernel in qemu, where the kernel at hand lacks a module (ip_vs, most often) or
# is not the one to be tested. Nothing is installed, and this machine's network is not touched.
#
#   qemu.sh [option...] [--] command [argument...]
#
#   -k KERNEL   5.10, 6.1 (without -k) or 6.12, or a Debian suite and an image package: bookworm/linux-image-...-amd64
#   -T          nft, iptables, ip, ipset, ipvsadm and such of the kernel's Debian release, not this machine's
#   -f PATH     a file or folder to take along, to the same place inside; a program brings its libraries
#   -f PATH:TO  the same, to another place
#   -p PROGRAM  a program to take along that $PATH finds
#   -e N=VALUE  a variable for the command; none is handed on by itself
#   -C FOLDER   where the command starts; without -C, in /
#   -t SECONDS  how long all may take; without -t, 900
#   -m MIB      memory; without -m, 2048
#
# The command is taken along by itself when it is the path of a file. What it prints comes out as it is, byte for byte,
# and its status is this script's. When the guest ends without one, the kernel's messages follow on stderr, and the
# status is 124 after the time is up and 125 otherwise.
#
# PORTGEN_CI_CACHE       where packages and modules are kept; without it, portgen-ci in the user's cache folder
# PORTGEN_CI_MIRROR      http://deb.debian.org
# PORTGEN_QEMU_ACCEL     tcg or kvm; without it tcg, which is slow and works: there are machines whose /dev/kvm does not
#
# As cargo's runner, with the programs of this package that a test starts by their paths:
#
#   export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$PWD/tests/lab/qemu.sh -f $PWD/target/debug/portgen -C $PWD"
#
# Needs qemu-system-x86, busybox-static, apt, dpkg, debian-archive-keyring, and xz-utils for -k 6.12.
set -eu

usage() {
    sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
}

fail() {
    echo "${0##*/}: $*" >&2
    exit 125
}

# Exact packages: what runs tomorrow is what ran today. Debian keeps several; when one is gone, name the next.
kernel_package() {
    case $1 in
    5.10) echo bullseye/linux-image-5.10.0-46-cloud-amd64 ;;
    6.1) echo bookworm/linux-image-6.1.0-56-cloud-amd64 ;;
    6.12) echo trixie/linux-image-6.12.117+deb13-cloud-amd64 ;;
    */linux-image-*) echo "$1" ;;
    *) fail "no kernel '$1': 5.10, 6.1, 6.12 or SUITE/PACKAGE" ;;
    esac
}

kernel=6.1 own_tools='' files='' programs='' variables='' folder=/ seconds=900 memory=2048
newline='
'
while getopts k:Tf:p:e:C:t:m: option; do
    case $option in
    k) kernel=$OPTARG ;;
    T) own_tools=yes ;;
    f) files=$files$OPTARG$newline ;;
    p) programs="$programs $OPTARG" ;;
    e) variables=$variables$OPTARG$newline ;;
    C) folder=$OPTARG ;;
    t) seconds=$OPTARG ;;
    m) memory=$OPTARG ;;
    *)
        usage >&2
        exit 125
        ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -eq 0 ]; then
    usage >&2
    exit 125
fi
case $1 in
/*) ;;
*/*)
    command=$PWD/$1
    shift
    set -- "$command" "$@"
    ;;
esac
kernel=$(kernel_package "$kernel")
suite=${kernel%%/*} package=${kernel#*/}
release=${package#linux-image-}
cache=${PORTGEN_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/portgen-ci}
mirror=${PORTGEN_CI_MIRROR:-http://deb.debian.org}
busybox=$(command -v busybox) || fail "no busybox"
command -v qemu-system-x86_64 >/dev/null || fail "no qemu-system-x86_64"
mkdir -p "$cache"
# In the cache, so that what is made there can be moved to its place at once.
work=$(mktemp -d "$cache/run.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 125' HUP INT TERM

# Makes an apt that knows this suite only, keeps its state in the cache, and so needs no root.
know_suite() {
    apt=$cache/apt-$suite
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    signed='[arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    {
        echo "deb $signed $mirror/debian $suite main"
        echo "deb $signed $mirror/debian-security $suite-security main"
    } >"$apt/sources.list"
    # Without the parts of this machine's own configuration: a hook there may well want root.
    cat >"$apt/apt.conf" <<END
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
END
    in_suite -qq update || fail "no package lists of $suite"
}

in_suite() {
    APT_CONFIG=$apt/apt.conf apt-get "$@" >&2
}

archive() {
    (cd "$1" && find . -print | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null)
}

# Two of these at once must not both fill the cache.
exec 9>"$cache/lock"
flock 9

# The kernel, and an archive of its modules that have to do with networks. Made whole or not at all.
if ! [ -d "$cache/$release" ]; then
    mkdir "$work/kernel" "$work/deb" "$work/modules"
    know_suite
    (cd "$work/deb" && in_suite -qq download "$package") || fail "no $package in $suite; name another with -k"
    dpkg-deb -x "$work"/deb/*.deb "$work/kernel"
    rm -rf "$apt" "$work/deb"
    # The newest releases have everything below /usr.
    lib=$work/kernel/lib/modules/$release
    [ -d "$lib" ] || lib=$work/kernel/usr/lib/modules/$release
    find "$lib" -name '*.ko.xz' -exec xz -d {} +
    # Packages come without modules.dep, which is made when they are installed.
    "$busybox" depmod -b "${lib%/lib/modules/*}" "$release"
    to=$work/modules/usr/lib/modules/$release
    mkdir -p "$to"
    wanted='^(kernel/)?(net/(802|8021q|bridge|core|ipv4|ipv6|ipvs|llc|netfilter|sched|xfrm)/|fs/overlayfs/|'
    wanted="$wanted"'drivers/net/(veth|dummy|ifb|tun|macvlan|ipvlan/|vxlan/|vrf|nlmon)|(arch/x86/)?crypto/.*crc32c)'
    # A line is a module, a colon and the modules it needs.
    grep -E "$wanted" "$lib/modules.dep" | tr -s ': ' '\n' | sort -u | while read -r module; do
        [ -z "$module" ] || { mkdir -p "$to/${module%/*}" && cp "$lib/$module" "$to/$module"; }
    done
    cp "$lib"/modules.builtin* "$lib"/modules.order "$to/"
    "$busybox" depmod -b "$work/modules/usr" "$release"
    mkdir "$work/done"
    cp "$work/kernel/boot/vmlinuz-$release" "$work/done/vmlinuz"
    archive "$work/modules" >"$work/done/modules.cpio"
    rm -rf "$work/kernel" "$work/modules"
    mv "$work/done" "$cache/$release"
fi

# The programs of the release, unpacked.
tools=
if [ -n "$own_tools" ]; then
    tools=$cache/tools-$suite
    if ! [ -d "$tools" ]; then
        set_of='nftables iptables iproute2 ipset ipvsadm conntrack ethtool'
        know_suite
        # shellcheck disable=SC2086 # several packages
        in_suite -qq -y --download-only install $set_of || fail "no $set_of of $suite"
        mkdir "$work/tools"
        for deb in "$apt"/cache/archives/*.deb; do
            case ${deb##*/} in
            # The command was linked with this machine's C library, and an older one would not do. A newer one does for
            # the older programs.
            libc6_* | libc-bin_* | libgcc-s1_* | libcrypt1_* | gcc-*-base_* | perl-base_* | debconf_* | dpkg_* | tar_*) ;;
            *) dpkg-deb -x "$deb" "$work/tools" ;;
            esac
        done
        mv "$work/tools" "$tools"
        rm -rf "$apt"
    fi
fi
exec 9>&-

root=$work/root
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc" "$root/dev" "$root/proc" \
    "$root/sys" "$root/run" "$root/tmp" "$root/mnt" "$root/var/lib" "$root/var/log" "$root/root" "$root/busybox"
for name in bin sbin lib lib64; do
    ln -s "usr/$name" "$root/$name"
done
ln -s ../run "$root/var/run"
# The kernel loads a module when one is asked for, as on any machine; and kube-proxy asks by itself.
ln -s ../bin/busybox "$root/usr/sbin/modprobe"

# Where a file from the unpacked packages goes: to its place without them.
place() {
    case $tools in
    '') echo "$1" ;;
    *) echo "${1#"$tools"}" ;;
    esac
}

# A copy of a file, links resolved. What is there stays.
take() {
    if [ -e "$root$2" ]; then return; fi
    mkdir -p "$root${2%/*}"
    cp -L "$1" "$root$2"
    case $1 in *.so) echo "$1" ;; *) [ ! -x "$1" ] || echo "$1" ;; esac >>"$work/taken"
}

# The libraries of all that was taken. Static programs and scripts have none, which ldd calls a failure.
take_libraries() {
    export LD_LIBRARY_PATH="${tools:+$tools/lib/x86_64-linux-gnu:$tools/usr/lib/x86_64-linux-gnu}"
    tr '\n' '\0' <"$work/taken" | xargs -0 ldd >"$work/libraries" 2>&1 || true
    unset LD_LIBRARY_PATH
    if grep 'not found' "$work/libraries" >&2; then fail "libraries are missing"; fi
    tr -s ' \t' '\n' <"$work/libraries" | grep '^/.*[^:]$' | sort -u >"$work/taken"
    while read -r library; do
        take "$library" "$(place "$library")"
    done <"$work/taken"
}

take_program() {
    # Of a link to an absolute path only the target will do, as below bin.
    for candidate in ${tools:+"$tools/usr/bin/$1" "$tools/bin/$1" "$tools/usr/sbin/$1" "$tools/sbin/$1"}; do
        if [ -e "$candidate" ]; then
            take "$candidate" "$(place "$candidate")"
            return
        fi
    done
    # A package does not say which of the two goes by the plain name: its installation does.
    case ${tools:+$1} in
    ip*tables | ip*tables-save | ip*tables-restore)
        suffix=${1#ip*tables}
        take "$tools/usr/sbin/${1%"$suffix"}-nft$suffix" "/usr/sbin/$1"
        return
        ;;
    esac
    # Administrators' programs are not in everybody's $PATH.
    if found=$(PATH=$PATH:/usr/sbin:/sbin command -v "$1"); then
        take "$found" "$found"
    else
        echo "${0##*/}: no $1 here, and none inside" >&2
    fi
}

take "$busybox" /usr/bin/busybox
for name in iptables ip6tables; do
    for kind in '' -nft -legacy; do
        programs="$programs $name$kind $name$kind-save $name$kind-restore"
    done
done
for name in sh mount umount unshare nsenter sysctl ip tc ss bridge ethtool nft ipset ipvsadm conntrack $programs; do
    take_program "$name"
done
for plugin in "$tools"/usr/lib/*/xtables/*.so; do
    take "$plugin" "$(place "$plugin")"
done
for file in /etc/protocols /etc/services /etc/iproute2 /usr/share/iproute2 /etc/nsswitch.conf /etc/passwd /etc/group; do
    [ ! -e "$file" ] || { mkdir -p "$root${file%/*}" && cp -RL "$file" "$root$file"; }
done
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"

take_path() {
    from=${1%%:*} to=${1#*:}
    case $from in /*) ;; *) from=$PWD/$from ;; esac
    case $to in /*) ;; *) to=$PWD/$to ;; esac
    [ -e "$from" ] || fail "no $from"
    if [ -d "$from" ]; then
        mkdir -p "$root$to"
        cp -RL "$from/." "$root$to"
    else
        rm -f "$root$to"
        take "$from" "$to"
    fi
}
printf %s "$files" >"$work/files"
while IFS= read -r file; do
    take_path "$file"
done <"$work/files"
if [ -f "$1" ]; then take_path "$1"; fi
take_libraries

quoted() {
    printf "'"
    printf %s "$1" | sed "s/'/'\\\\''/g"
    printf "' "
}
{
    echo 'export PATH=/usr/sbin:/usr/bin:/busybox HOME=/root TERM=dumb LANG=C.UTF-8'
    printf %s "$variables" | while IFS= read -r variable; do
        printf 'export '
        quoted "$variable"
        echo
    done
    mkdir -p "$root$folder"
    printf 'cd '
    quoted "$folder"
    printf '\nexec '
    for word; do
        quoted "$word"
    done
    echo
} >"$root/command"

# The first port is the kernel's, the second one the command's: neither has to be picked out of the other.
cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /busybox
export PATH=/usr/sbin:/usr/bin:/busybox
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# Nothing is mounted over /run and /tmp: all is in memory anyway, and what was taken along may be there.
mkdir -p /run/lock /run/netns
chmod 1777 /tmp
ln -sf /proc/self/fd /dev/fd
hostname guest
# Not all of these ask for themselves: what only reads /proc finds them missing.
for module in ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack nf_tables; do
    modprobe "$module" || echo "portgen-guest: no $module"
done
ip link set lo up
exec 3>/dev/ttyS1
stty raw -echo <&3
read -r uptime _ </proc/uptime
echo "portgen-guest: up after $uptime"
/bin/sh /command </dev/null >&3 2>&3 3>&-
status=$?
# Changing a port's settings waits until it has sent what it has.
stty raw <&3
printf '\nportgen-guest: status %s\n' "$status"
poweroff -f
END
chmod +x "$root/init"
archive "$root" >"$work/root.cpio"
rm -rf "$root"
# The kernel unpacks one after the other.
cat "$cache/$release/modules.cpio" "$work/root.cpio" >"$work/initrd"
rm "$work/root.cpio"

code=0
# In the background, for a shell does not heed a signal before the program in front of it ends.
timeout -k 10 "$seconds" qemu-system-x86_64 -accel "${PORTGEN_QEMU_ACCEL:-tcg}" -cpu max -m "$memory" -smp 2 \
    -nodefaults -no-user-config -display none -no-reboot -kernel "$cache/$release/vmlinuz" -initrd "$work/initrd" \
    -append "console=ttyS0 panic=-1 loglevel=5 random.trust_cpu=on mitigations=off tsc=reliable" \
    -serial "file:$work/console" -serial stdio </dev/null 2>"$work/qemu" &
guest=$!
trap 'kill "$guest"; exit 125' HUP INT TERM
wait "$guest" || code=$?
status=$(tr -d '\r' <"$work/console" | sed -n 's/^portgen-guest: status \([0-9][0-9]*\)$/\1/p')
if [ -n "$status" ]; then
    exit "$status"
fi
cat "$work/qemu" "$work/console" >&2
[ "$code" -ne 124 ] || exit 124
fail "the guest ended without a status"
