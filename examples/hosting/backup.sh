#!/bin/sh
# Archives a data folder whose host is stopped: sh backup.sh DATA ARCHIVE
set -eu
data=$1
archive=$2
# The archive holds the folder's key.
umask 077
# A running host holds this lock.
if ! flock --nonblock "$data/lock" \
    tar --create --gzip --file "$archive.part" --directory "$data" .; then
    rm -f "$archive.part"
    echo "no backup: stop the host that uses $data first" >&2
    exit 1
fi
sync "$archive.part"
mv "$archive.part" "$archive"
