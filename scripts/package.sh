#!/usr/bin/env bash
# Packs what was built: a Debian package, a tarball that runs where it is unpacked, and their checksums.
#
#   scripts/package.sh BIN FOLDER    the programs are in BIN; the packages go to FOLDER, in place of older ones
#
# Both contain what scripts/install.sh installs, so nothing is listed twice. cargo-deb would need a second list in Cargo.toml and
# take five minutes to compile; the 20 lines below do all that we need of it.
set -euo pipefail
umask 022

[ "$#" -eq 2 ] || { echo "usage: scripts/package.sh BIN FOLDER" >&2; exit 1; }
bin=$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
cd "$(dirname "$0")/.."
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
# Sources that were downloaded as an archive have no history.
commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
# The same sources and programs give the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null) || SOURCE_DATE_EPOCH=$(stat -c %Y Cargo.toml)
export SOURCE_DATE_EPOCH
machine=$(uname -m)

# Takes nothing else that may be in the folder.
rm -f "$folder"/gotong[-_]* "$folder/SHA256SUMS"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

name=gotong-$version-linux-$machine
tree=$work/tarball/$name
scripts/install.sh "$bin" /usr/local "$tree"
# Whoever unpacks it runs `bin/gotong` right there, or copies usr/local and etc as root, who then owns the copies. `cp -a` would
# make /usr belong to the user who unpacked it.
ln -s usr/local/bin "$tree/bin"
ln -s usr/local/share/doc/gotong "$tree/doc"
cp LICENSE "$tree"
cat > "$tree/README" <<EOF
Gotong $version ($commit)

Run bin/gotong from this folder, or install it for the whole system (run this here, as root):

    cp -R usr / && { [ -e /etc/gotong/node.conf ] || cp -R etc /; } && systemd-sysusers && systemctl daemon-reload

Next, read doc/docs/operators.md.
EOF
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work/tarball" -c "$name" |
    gzip -6n > "$folder/$name.tar.gz"

if command -v dpkg-shlibdeps >/dev/null && command -v dpkg-deb >/dev/null; then
    root=$work/debian/gotong
    VENDOR=yes scripts/install.sh "$bin" /usr "$root"
    mkdir -p "$root/DEBIAN"
    cp "$root/usr/share/doc/gotong/LICENSE" "$root/usr/share/doc/gotong/copyright"
    architecture=$(dpkg --print-architecture)
    # dpkg-shlibdeps wants to see a source package's control file; what it says does not count.
    mkdir "$work/debian/debian"
    printf 'Source: gotong\n\nPackage: gotong\nArchitecture: any\n' > "$work/debian/debian/control"
    depends=$(cd "$work/debian" && dpkg-shlibdeps -O gotong/usr/bin/gotong gotong/usr/bin/gotong-node |
        sed -n 's/^shlibs:Depends=//p')
    # The node does not start without root certificates: the SDK reads them whether or not anything asks.
    cat > "$root/DEBIAN/control" <<EOF
Package: gotong
Version: $version
Architecture: $architecture
Maintainer: the Gotong authors <gotong@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, ca-certificates
Suggests: libvulkan1, dataset-fashion-mnist
Section: science
Priority: optional
Description: Improve open models together, and get paid for proved improvement
 The node of the Gotong chain, and the worker with which people contribute to
 models, attest rounds, sponsor tasks and claim rewards. Built from $commit.
EOF
    echo /etc/gotong/node.conf > "$root/DEBIAN/conffiles"
    install -m 755 packaging/debian/* "$root/DEBIAN"
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
    chmod 644 "$root"/DEBIAN/{control,conffiles,md5sums}
    dpkg-deb --root-owner-group -Zzstd --build "$root" "$folder/gotong_${version}_$architecture.deb" >/dev/null
else
    echo "package: no Debian package was built, because dpkg-shlibdeps and dpkg-deb are missing (install dpkg-dev)" >&2
fi

(cd "$folder" && sha256sum gotong* > SHA256SUMS)
ls -l "$folder"
