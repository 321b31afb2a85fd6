#!/bin/sh
# Makes a data folder from an archive of backup.sh: sh restore.sh ARCHIVE DATA
set -eu
if [ $# -ne 2 ]; then
    echo "usage: sh restore.sh ARCHIVE DATA" >&2
    exit 2
fi
archive=$1
data=$2
if [ ! -f "$archive" ]; then
    echo "$archive does not exist: name an archive of backup.sh" >&2
    exit 1
fi
if [ -e "$data" ]; then
    echo "$data exists: move it away first" >&2
    exit 1
fi
mkdir -m 0700 "$data.part"
tar --extract --gzip --file "$archive" --directory "$data.part"
mv "$data.part" "$data"
