#!/usr/bin/env bash
# Installs what was built: programs (without symbols), completions, manual pages, systemd units, documents.
#
#   scripts/install.sh BIN PREFIX [DESTDIR]
#
# BIN has the programs. PREFIX is where they will run, such as /usr/local; the systemd units name it, so it must not contain
# spaces. DESTDIR is put before every path. The configuration in /etc/gotong is created if it is missing, and never changed.
# VENDOR=yes puts completions where a distribution puts them.
set -euo pipefail
umask 022

[ "$#" -ge 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 1; }
bin=$(realpath "$1") prefix=$2 destdir=${3:+$(realpath -m "$3")}
case $prefix in
    *[!A-Za-z0-9/._+-]* | [!/]* | '')
        echo "install: PREFIX must be an absolute path of letters, digits and the characters / . _ + -" >&2
        exit 1
        ;;
esac
cd "$(dirname "$0")/.."
for program in gotong gotong-node; do
    [ -x "$bin/$program" ] || { echo "install: $bin has no $program: run 'make build' first" >&2; exit 1; }
done
if [ -e "$bin/.built-for-demo" ]; then
    echo "install: $bin has only the demo's programs, which cannot use GPUs: run 'make build' first" >&2
    exit 1
fi
root=$destdir$prefix
share=$root/share

install -d "$root/bin"
for program in gotong gotong-node; do
    install -m 755 -s "$bin/$program" "$root/bin/$program"
done

zsh=site-functions
[ "${VENDOR:-no}" = no ] || zsh=vendor-completions
install -d "$share/bash-completion/completions" "$share/zsh/$zsh" "$share/fish/vendor_completions.d"
"$bin/gotong" completions bash > "$share/bash-completion/completions/gotong"
"$bin/gotong" completions zsh > "$share/zsh/$zsh/_gotong"
"$bin/gotong" completions fish > "$share/fish/vendor_completions.d/gotong.fish"

pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
"$bin/gotong" man-pages --out "$pages"
gzip -9n "$pages"/*.1
install -d "$share/man/man1"
install -m 644 "$pages"/*.1.gz "$share/man/man1"

install -d "$root/lib/systemd/system" "$root/lib/sysusers.d"
for unit in gotong-node.service gotong@.service; do
    sed -E "s#/usr/(bin|share)/#$prefix/\1/#" "packaging/systemd/$unit" > "$root/lib/systemd/system/$unit"
done
install -m 644 packaging/systemd/sysusers.conf "$root/lib/sysusers.d/gotong.conf"
[ -e "$destdir/etc/gotong/node.conf" ] || install -D -m 644 packaging/systemd/node.conf "$destdir/etc/gotong/node.conf"

# Documents go to the same folders as here, so that links between pages work.
find ./*.md LICENSE docs examples data/recipes -type f -print0 | while IFS= read -r -d '' page; do
    install -D -m 644 "$page" "$share/doc/gotong/$page"
done
