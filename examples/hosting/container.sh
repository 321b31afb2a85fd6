#!/bin/sh
# Builds the image in the root of the checkout, and runs it.
set -eu
docker build --tag starter --file examples/hosting/Dockerfile .
docker run --detach --name starter --restart unless-stopped \
    --publish 127.0.0.1:8787:8787 --volume starter-data:/data \
    --stop-timeout 20 --ulimit nofile=65536:65536 starter
