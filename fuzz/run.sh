#!/usr/bin/env bash
# Runs every fuzz target for some seconds, from a copy of its seeds: fuzz/run.sh SECONDS [TARGET...]
# Prints coverage and speed of each. Stops at the first finding, which then lies in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(merge_convergence order_total frame_decode deframe_chunks entry_admit session_hostile ticket_parse store_recovery rendezvous_decode)
triple=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-target}/$triple/release
cargo fuzz build --sanitizer none --no-trace-compares --target-dir "${CARGO_TARGET_DIR:-target}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for target in "${targets[@]}"; do
    cp -r "fuzz/seeds/$target" "$scratch/$target"
    mkdir -p "fuzz/artifacts/$target"
    status=0
    "$built/$target" "$scratch/$target" -max_total_time="$seconds" -max_len=1024 -len_control=0 -timeout=60 \
        -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        >"$scratch/log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 40 "$scratch/log"
        echo "$target: found something (see fuzz/artifacts/$target)"
        exit 1
    fi
    coverage=$(grep -o 'cov: [0-9]*' "$scratch/log" | tail -n 1)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/log")
    speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$scratch/log")
    printf '%-18s %s, %s runs, %s a second\n' "$target" "$coverage" "$runs" "$speed"
done
