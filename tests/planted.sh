#!/usr/bin/env bash
# Plants each bug of tests/planted into a copy of the tree and runs the test that a patch's first line names, which passes
# without the bug and has to fail with it: tests/planted.sh [BUG...]
# Prints a table; fails if a bug was not noticed, or its patch does not apply or build any more.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} CARGO_INCREMENTAL=0
mkdir -p "$CARGO_TARGET_DIR"
bugs=("$@")
[ ${#bugs[@]} -gt 0 ] || for patch in tests/planted/*.patch; do bugs+=("$(basename "$patch" .patch)"); done
# Always the same place, so that what a patch does not touch is built once.
tree=$(cd "$CARGO_TARGET_DIR" && pwd -P)/planted
git worktree prune
# What is there may be of another clone that builds in the same folder.
if ! git worktree list --porcelain | grep -qxF "worktree $tree"; then
    rm -rf "$tree"
    git worktree add --quiet --detach "$tree" HEAD
fi
survivors=0

test_of() { sed -n '1s/^Test: //p' "$root/tests/planted/$1.patch"; }

# How a test ends: passed, failed, or why it says nothing.
run() {
    local log=$tree.log
    cd "$tree"
    # Words of the first line are arguments.
    # shellcheck disable=SC2086
    cargo test --quiet --no-run $1 >"$log" 2>&1 || { echo "does not build"; return; }
    # A test that a bug makes wait for ever is stopped by the clock, which also notices it.
    # shellcheck disable=SC2086
    timeout 400 cargo test --quiet $1 >"$log" 2>&1 || { echo failed; return; }
    if grep -q '^test result: ok. [1-9]' "$log"; then echo passed; else echo "no such test"; fi
}

git -C "$tree" checkout --quiet --force --detach "$(git rev-parse HEAD)"
declare -A without
for bug in "${bugs[@]}"; do without[$bug]=$(run "$(test_of "$bug")"); done
for bug in "${bugs[@]}"; do
    patch=$root/tests/planted/$bug.patch
    with="patch does not apply"
    if git -C "$tree" apply --recount "$patch" 2>/dev/null; then with=$(run "$(test_of "$bug")"); fi
    git -C "$tree" checkout --quiet --force .
    verdict=noticed
    if [ "${without[$bug]}/$with" != passed/failed ]; then
        verdict="NOT NOTICED (without it: ${without[$bug]}, with it: $with)"
        survivors=$((survivors + 1))
    fi
    printf '%-30s %-72s %s\n' "$bug" "$(test_of "$bug")" "$verdict"
done
[ "$survivors" -eq 0 ] || { echo "$survivors planted bugs were not noticed"; exit 1; }
