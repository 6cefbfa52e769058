#!/bin/bash
# Tells the simulator something from a test: sends METHOD PATH BODY to its control interface on the port
# in BILLSTACK_SIM_PORT. Needs no HTTP client; prints nothing unless it fails.
# Usage: sim_post.sh POST /_sim/faults '[{"match":{"path":"^/v1/account$"},"action":{"status":500}}]'
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$BILLSTACK_SIM_PORT"
printf '%s %s HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#3}" "$3" >&3
answer=$(cat <&3)
case $answer in
"HTTP/1.1 2"*) ;;
*) printf '%s\n' "$answer"; exit 1 ;;
esac
