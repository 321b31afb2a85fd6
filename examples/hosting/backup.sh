#!/bin/sh
# Archives a data folder whose host is stopped: sh backup.sh DATA ARCHIVE
set -eu
if [ $# -ne 2 ]; then
    echo "usage: sh backup.sh DATA ARCHIVE" >&2
    exit 2
fi
data=$1
archive=$2
# A host makes this file at its first start.
if [ ! -f "$data/lock" ]; then
    echo "$data is not a data folder: name the folder of the host's --data" >&2
    exit 1
fi
# The archive holds the folder's key.
umask 077
# A running host holds this lock.
status=0
flock --nonblock --conflict-exit-code 75 "$data/lock" \
    tar --create --gzip --file "$archive.part" --directory "$data" . || status=$?
if [ "$status" -ne 0 ]; then
    rm -f "$archive.part"
    [ "$status" -ne 75 ] || echo "a host uses $data: stop the host first" >&2
    exit "$status"
fi
sync "$archive.part"
mv "$archive.part" "$archive"
