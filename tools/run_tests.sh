#!/bin/sh
# Run the checks, then all tests; report the duration and the 20 slowest tests. A worker that has
# none left takes over tests of another one.
set -u
bin=$1
began=$(date +%s)
make --no-print-directory check || exit 1
"$bin/python" -m pytest -n 2 --dist worksteal -rs --durations=20 --durations-min=0.05
status=$?
echo "duration: $(($(date +%s) - began)) s"
exit $status
