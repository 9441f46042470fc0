#!/usr/bin/env bash
# Plants each bug of fuzz/planted into a copy of the tree and has merge_convergence look for it, from an empty corpus.
# Fails if one is not found within a minute: fuzz/planted.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
# Always the same place, so that what a patch does not touch is built once.
tree=$target/planted
survivors=0

for patch in "$root"/fuzz/planted/*.patch; do
    bug=$(basename "$patch" .patch)
    rm -rf "$tree"
    mkdir -p "$tree"
    # With their times, so that only what the patch changes is newer.
    git ls-files -z | xargs -0 cp --parents --preserve=timestamps -t "$tree"
    if ! (cd "$tree" && patch --quiet --strip=1 --fuzz=3 <"$patch"); then
        echo "$bug: the patch does not apply any more; plant the bug anew"
        survivors=$((survivors + 1))
        continue
    fi
    (cd "$tree" && cargo fuzz build --sanitizer none --no-trace-compares --target-dir "$target" merge_convergence) \
        >"$tree/build.log" 2>&1 || { tail -n 30 "$tree/build.log"; echo "$bug: does not build any more"; exit 1; }
    mkdir "$tree/corpus"
    start=$(date +%s%N)
    status=0
    (cd "$tree" && NO_SHRINK=1 "$target/$triple/release/merge_convergence" corpus -max_total_time="$seconds" \
        -max_len=1024 -len_control=0 -artifact_prefix="$tree/") >"$tree/run.log" 2>&1 || status=$?
    took=$((($(date +%s%N) - start) / 100000000))
    if [ "$status" -ne 0 ] && grep -q '^SEED=' "$tree/run.log"; then
        printf '%-28s found after %d.%d s\n' "$bug" $((took / 10)) $((took % 10))
    else
        tail -n 3 "$tree/run.log"
        echo "$bug: NOT FOUND in $seconds s"
        survivors=$((survivors + 1))
    fi
done
rm -rf "$tree"
[ "$survivors" -eq 0 ] || { echo "$survivors planted bugs were not found"; exit 1; }
