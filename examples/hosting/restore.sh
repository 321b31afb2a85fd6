#!/bin/sh
# Makes a data folder from an archive of backup.sh: sh restore.sh ARCHIVE DATA
set -eu
archive=$1
data=$2
if [ -e "$data" ]; then
    echo "$data is there: move it away first" >&2
    exit 1
fi
mkdir -m 0700 "$data.part"
tar --extract --gzip --file "$archive" --directory "$data.part"
mv "$data.part" "$data"
