#!/usr/bin/env bash
# Installs what scripts/package.sh packed, the Debian package in one clean root folder and the tarball in another, and runs a node
# and `gotong doctor` in each.
#
#   scripts/test-package.sh FOLDER    the packages are in FOLDER
#
# A clean root has Debian's essential packages and what ours depends on, and nothing else. The files are this machine's own, by
# dpkg's lists of them. So nothing is downloaded, and an undeclared dependency is missing. You need not be root if users may have
# namespaces.
#
# Where that is not possible, nothing is tested. With the variable CI set, that is an error (as in tests/src/lib.rs).
set -euo pipefail

say() { printf 'test-package: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
# not_tested WHY: says so, and fails in a CI, where nobody reads what a passing test says.
not_tested() {
    case "${CI:-false}" in
        false) say "NOT TESTED: $*" ;;
        *) die "NOT TESTED, though CI is set: $*" ;;
    esac
}

[ "$#" -eq 1 ] || die "usage: scripts/test-package.sh FOLDER"

# Everything below runs in namespaces of its own, with a loopback device that no other process hears.
if [ -z "${GOTONG_IN_NAMESPACE:-}" ]; then
    own=(--mount --net --pid --fork --kill-child)
    [ "$(id -u)" -eq 0 ] || own+=(--map-root-user)
    command -v dpkg-deb >/dev/null || { not_tested "this system is not Debian (dpkg-deb is missing)"; exit 0; }
    # Some containers give namespaces, but no view of the processes in them.
    unshare "${own[@]}" --mount-proc true 2>/dev/null || { not_tested "this user may not create namespaces"; exit 0; }
    GOTONG_IN_NAMESPACE=yes exec unshare "${own[@]}" "$0" "$@"
fi
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
ip link set lo up 2>/dev/null || python3 -c '
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:  # SIOCSIFFLAGS: up
    fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 1))'

folder=$(realpath "$1")
(cd "$folder" && sha256sum --quiet --check SHA256SUMS) || die "the checksums in SHA256SUMS do not match the packages"
deb=$(echo "$folder"/gotong_*.deb)
tarball=$(echo "$folder"/gotong-*.tar.gz)
work=$(mktemp -d)
# What is mounted there belongs to the namespace, and must not be removed.
trap 'jobs -p | xargs -r kill -9 2>/dev/null || :; wait; umount -q "$work"/*/dev/* "$work"/*/proc || :; rm -rf --one-file-system "$work"' EXIT

# clean_root FOLDER PACKAGE...: installs the essential packages, these, and everything that they depend on.
clean_root() {
    local root=$1
    local names
    names=$({
        dpkg-query -W -f='${Essential} ${Package}\n' | sed -n 's/^yes //p'
        printf '%s\n' "${@:2}"
    } | xargs apt-cache depends --installed --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances | sort -u | comm -12 - <(dpkg-query -W -f='${Package}\n' | sort -u))
    mkdir -p "$root"/{dev,proc,run,tmp,root,etc/alternatives,var/lib/dpkg/{info,updates,triggers},var/log}
    for place in bin lib lib64 sbin; do
        mkdir -p "$root/usr/$place"
        ln -s "usr/$place" "$root/$place"
    done
    dpkg-query -L $names | grep '^/' | sed -E 's#^/(bin|lib|lib64|sbin)/#/usr/\1/#' | sort -u |
        grep -vE '^/usr/share/(doc|man|locale|info)/' |
        while read -r path; do
            # Folders come with their files. This machine was told to leave out some that a list names.
            if [ -L "$path" ] || [ -f "$path" ]; then printf '%s\n' "$path"; fi
        done |
        sed 's|^/||' | tar -C / --no-recursion -T - -c | tar -C "$root" --no-same-owner -x
    # What installing them would create: certificates (below), the names of programs with alternatives, and the database.
    cp -a /etc/alternatives/. "$root/etc/alternatives/"
    for name in awk pager; do ln -s "/etc/alternatives/$name" "$root/usr/bin/$name" 2>/dev/null || :; done
    dpkg-query -s $names > "$root/var/lib/dpkg/status"
    for name in $names; do
        for list in /var/lib/dpkg/info/"$name".list /var/lib/dpkg/info/"$name":*.list; do
            [ ! -e "$list" ] || cp "$list" "$root/var/lib/dpkg/info/"
        done
    done
    printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root/etc/passwd"
    printf 'root:x:0:\n' > "$root/etc/group"
    # Every machine has one, and the node asks for it.
    echo 'nameserver 127.0.0.1' > "$root/etc/resolv.conf"
    if grep -qx ca-certificates <<<"$names"; then
        mkdir -p "$root/etc/ssl"
        cp -a /etc/ssl/certs "$root/etc/ssl/"
    fi
    local device
    for device in null zero full random urandom; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mount -t proc proc "$root/proc"
}

# inside ROOT COMMAND...: runs the command there, with nothing from this environment.
inside() { env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin HOME=/root chroot "$@"; }

# works ROOT: checks that node and worker run there.
works() {
    local root=$1 node found
    inside "$root" gotong-node --version
    inside "$root" gotong --version
    inside "$root" gotong-node --dev --base-path /tmp/chain --no-telemetry > "$work/node.log" 2>&1 &
    node=$!
    # The first start compiles the runtime's Wasm.
    for second in $(seq 120); do
        if found=$(inside "$root" gotong doctor --dev Alice --device flex --output json 2> "$work/doctor.log"); then :; fi
        python3 - "$found" <<'EOF' && break
import json, sys
try:
    findings = {one["check"]: one for one in json.loads(sys.argv[1])}
except ValueError:
    sys.exit(1)
# Public data sets are not part of the package.
lacking = [name for name, one in findings.items() if not one["ok"] and name not in ("images", "text")]
print("test-package: doctor finds faults in:", ", ".join(lacking) or "nothing", file=sys.stderr)
sys.exit(bool(lacking) or "node" not in findings or "processor" not in findings)
EOF
        kill -0 "$node" 2>/dev/null || { cat "$work/node.log" >&2; die "the node stopped; its log is above"; }
        [ "$second" -lt 120 ] || { tail -20 "$work/node.log" "$work/doctor.log" >&2; die "after two minutes doctor still finds faults; its output is above"; }
        sleep 1
    done
    # It makes blocks: a transfer gets into one.
    inside "$root" gotong transfer --dev Alice --to Bob --amount 1 --output json >/dev/null
    kill "$node"
    wait "$node" || :
}

if [ -e "$deb" ]; then
    say "testing $(basename "$deb") in a clean root"
    depends=$(dpkg-deb -f "$deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g; s/:any//g')
    clean_root "$work/debian" $depends
    cp "$deb" "$work/debian/tmp/gotong.deb"
    inside "$work/debian" dpkg --install /tmp/gotong.deb
    works "$work/debian"
    for file in usr/share/man/man1/gotong-task-open.1.gz usr/share/bash-completion/completions/gotong \
        usr/share/zsh/vendor-completions/_gotong usr/share/fish/vendor_completions.d/gotong.fish \
        usr/lib/systemd/system/gotong-node.service usr/share/doc/gotong/docs/operators.md usr/share/doc/gotong/copyright; do
        [ -s "$work/debian/$file" ] || die "$file is not installed"
    done
    # What is shipped is current: the same as the shipped program makes it.
    inside "$work/debian" gotong completions bash | cmp - "$work/debian/usr/share/bash-completion/completions/gotong"
    [ -z "$(inside "$work/debian" dpkg --verify gotong)" ] || die "dpkg --verify finds files that differ from the package"
    # The units are valid, with a program that this machine has in place of ours, and hardened.
    if [ -e /usr/lib/systemd/system/sysinit.target ]; then
        mkdir "$work/units"
        for unit in gotong-node.service gotong@.service; do
            sed -E 's|^(ExecStart=)/usr/bin/[a-z-]+|\1/bin/true|' "$work/debian/usr/lib/systemd/system/$unit" > "$work/units/$unit"
        done
        systemd-analyze verify --man=no "$work"/units/*
        systemd-analyze security --offline=true --threshold=20 --no-pager "$work"/units/* > "$work/security.log" ||
            { cat "$work/security.log" >&2; die "systemd-analyze security rates a unit above 2.0; its report is above"; }
    else
        not_tested "the units, because systemd is not installed here"
    fi
    echo changed >> "$work/debian/etc/gotong/node.conf"
    mkdir -p "$work/debian/var/lib/gotong/node"
    inside "$work/debian" dpkg --purge gotong
    left=$(cd "$work/debian" && find etc usr -name '*gotong*')
    [ -z "$left" ] || die "removing the package left: $left"
    [ -d "$work/debian/var/lib/gotong/node" ] || die "removing the package also removed the keys and the chain"
fi

say "testing $(basename "$tarball") in a clean root"
clean_root "$work/plain" libc6 libgcc-s1 ca-certificates
mkdir "$work/plain/opt"
tar -C "$work/plain/opt" --no-same-owner -xzf "$tarball"
# It runs where it was unpacked, and also after it was copied.
inside "$work/plain" sh -c '/opt/gotong-*/bin/gotong --version'
copy=$(sed -n 's/^    \(cp .*\) && systemd-sysusers.*/\1/p' "$work"/plain/opt/gotong-*/README)
[ -n "$copy" ] || die "the tarball's README does not say how to install it"
# What was there before is unchanged: root's own folders, with their permissions, and the configuration.
mkdir -p "$work/plain/usr/local"
chmod 2775 "$work/plain/usr/local"
for again in no yes; do
    inside "$work/plain" sh -c "cd /opt/gotong-* && $copy"
    [ "$(stat -c %a "$work/plain/usr/local")" = 2775 ] || die "installing the tarball changes the permissions of /usr/local"
    [ "$again" = no ] || [ "$(tail -n 1 "$work/plain/etc/gotong/node.conf")" = changed ] || die "installing the tarball again changes node.conf"
    echo changed >> "$work/plain/etc/gotong/node.conf"
done
# Units name their programs by PREFIX, and systemd would take a path with a space for two paths.
for prefix in "/opt/a b" opt '/opt/a&b'; do
    if "$(dirname "$0")/install.sh" "$work"/plain/opt/gotong-*/usr/local/bin "$prefix" "$work/refused" 2>/dev/null; then
        die "install.sh accepts the prefix $prefix"
    fi
done
grep -q '^ExecStart=/usr/local/bin/gotong-node' "$work/plain/usr/local/lib/systemd/system/gotong-node.service" ||
    die "the tarball's units do not run the programs in /usr/local"
works "$work/plain"
say "ok"
