#!/bin/sh
# Run the checks, then all tests, of which an idle worker takes over some; report the duration and the 20 slowest tests.
set -u
bin=$1
began=$(date +%s)
make --no-print-directory check || exit 1
"$bin/python" -m pytest -n 2 --dist worksteal -rs --durations=20 --durations-min=0.05
status=$?
echo "duration: $(($(date +%s) - began)) s"
exit $status
