#!/usr/bin/env bash
# Jobs side by side, for scripts that source this: start COMMAND..., into_log LOG WHAT COMMAND..., until_fewer_than N.
# The first that fails ends the script with its status; when the script ends, or is told to, all that it started ends too.
running=()
start() {  # start COMMAND...: in a process group, which can be ended with all that it started
    set -m
    { trap 'exit 143' TERM; "$@"; } < /dev/null &  # bash runs a trap when the job under way has ended
    running+=($!)
    set +m
}
into_log() {  # into_log LOG WHAT COMMAND...: added to a file, whose end is shown where the command fails; for start
    log=$1 what=$2; shift 2
    exec 3>&2 >> "$log" 2>&1
    trap 'status=$?; if [ $status -ne 0 ] && [ $status -ne 143 ]; then
        { echo "$what failed; $log ends:"; tail -n 20 "$log"; } >&3; fi' EXIT
    "$@"
}
end_running() {
    trap '' INT TERM
    if [ ${#running[@]} -gt 0 ]; then kill -- "${running[@]/#/-}" 2> /dev/null || true; fi
    wait
}
until_fewer_than() {  # the first failure ends the rest; `wait -n` overlooks what ended before it was asked (bash 5.2)
    local lane
    while [ ${#running[@]} -ge "$1" ]; do
        for lane in "${!running[@]}"; do
            if ! kill -0 "${running[lane]}" 2> /dev/null; then
                wait "${running[lane]}"
                unset "running[lane]"
            fi
        done
        sleep 0.5 || true
    done
}
trap end_running EXIT
trap 'echo "== stopping, when what runs has saved" >&2; exit 130' INT
trap 'echo "== stopping, when what runs has saved" >&2; exit 143' TERM
