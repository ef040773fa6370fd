#!/usr/bin/env bash
# Makes a book from our pages, in the order of docs/SUMMARY.md. Installs mdBook if it is missing.
#
#   scripts/book.sh TOOLS FOLDER    mdBook is on the path, or in TOOLS/bin; the book begins at FOLDER/html/index.html
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'book: %s\n' "$*" >&2; }

[ "$#" -eq 2 ] || { say "usage: scripts/book.sh TOOLS FOLDER"; exit 1; }
tools=$1 folder=$2
version=0.5.4

if command -v mdbook >/dev/null; then
    mdbook=mdbook
else
    mdbook=$tools/bin/mdbook
    if [ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$version" ]; then
        say "installing mdBook $version into $tools"
        # This leaves out its server, which is half of it. A separate target folder keeps ours clean.
        CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0 cargo install --quiet --locked --debug --force --no-default-features \
            --features search --root "$tools" --target-dir "$tools/build" mdbook@$version
        rm -rf "$tools/build"
    fi
fi

# Copies the pages and everything that they link to, with the same folders as here, so that every link still works.
scripts/check-links.py
rm -rf "$folder/pages" "$folder/html"
mkdir -p "$folder/pages"
scripts/check-links.py --files | xargs -0 cp --parents -t "$folder/pages"
cp book.toml "$folder"
# In the book, the summary is one folder above the pages; here it is in docs.
sed -E 's#\]\(([^.])#](docs/\1#; s#\]\(\.\./#](#' docs/SUMMARY.md > "$folder/pages/SUMMARY.md"
rm "$folder/pages/docs/SUMMARY.md"
"$mdbook" build "$folder"
say "the book is ready: open $folder/html/index.html"
