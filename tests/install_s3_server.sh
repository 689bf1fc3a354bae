#!/usr/bin/env bash
# Builds the S3 server that the tests of the S3 blob store speak to, once, and prints where it is.
# It is versitygw, a gateway in front of a plain folder, built from its source through the Go module proxy: some two
# minutes and 80 MB the first time, nothing after that. Without Go it says so and ends with status 1.
set -euo pipefail
version=v1.8.0
folder="${XDG_CACHE_HOME:-$HOME/.cache}/openxdsi/versitygw-$version"
if [ ! -x "$folder/versitygw" ]; then
    command -v go >/dev/null || { echo "no Go: the tests of the S3 blob store cannot have their server" >&2; exit 1; }
    mkdir -p "$folder"
    making="$(mktemp -d "$folder/making.XXXXXX")"
    trap 'rm -rf "$making"' EXIT
    GOBIN="$making" go install "github.com/versity/versitygw/cmd/versitygw@$version" >&2
    mv "$making/versitygw" "$folder/versitygw"
fi
echo "$folder/versitygw"
