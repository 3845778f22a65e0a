#!/usr/bin/env bash
# Takes pictures of the console's pages, light and dark, wide and narrow, into target/screenshots, and copies those that
# README and docs/CONSOLE.md show into docs/images.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/tools.sh
. scripts/tools.sh

shown=(today-1280 disputes-1280-dark dispute-1280 evidence-360 submit-1280 order-1280-dark outcomes-1280)

if ! installed pngquant pngquant; then
    echo "screenshots: pngquant must be installed" >&2
    exit 1
fi

export CLAWBACK_SCREENSHOTS=${CARGO_TARGET_DIR:-$PWD/target}/screenshots
mkdir -p "$CLAWBACK_SCREENSHOTS" docs/images
rm -f "$CLAWBACK_SCREENSHOTS"/*.png
CI=true cargo test --locked --test browser -- --exact screenshots::every_picture_is_taken
for name in "${shown[@]}"; do
    pngquant --force --output "docs/images/$name.png" 64 "$CLAWBACK_SCREENSHOTS/$name.png"
done
