#!/bin/sh
# get.sh NAME: prints the path of a binary that the tests run beside Quidditch. Built from its Go module the first time and kept
# outside the clone; an etcd on PATH is taken instead if its version is good. Exits with 3 where there is neither the binary nor a Go
# that can build it. get.sh --built NAME builds nothing: it exits with 3 where the binary is not there yet.
set -eu
cd "$(dirname "$0")"
cache=${QUIDDITCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/quidditch/bin
etcd_least="3 5 21"

build=yes
[ "${1:-}" != --built ] || { build=no; shift; }
name=${1:-}
flags="-s -w"
case $name in
    etcd) module=etcd package=./server ;;
    etcdctl | etcdutl) module=etcd package=go.etcd.io/etcd/$name/v3 ;;
    kube-apiserver | kube-controller-manager | kube-scheduler | kubectl)
        module=kubernetes package=k8s.io/kubernetes/cmd/$name
        version=$(sed -n 's/^require k8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' kubernetes/go.mod)
        minor=${version#v*.}
        for field in gitVersion="$version" gitMajor=1 gitMinor="${minor%%.*}"; do
            flags="$flags -X k8s.io/component-base/version.$field"
        done ;;
    helm) module=helm package=helm.sh/helm/v4/cmd/helm ;;
    *) echo "get.sh: no such binary: '$name'" >&2; exit 2 ;;
esac

good_etcd() {
    command -v etcd >/dev/null 2>&1 || return 1
    # shellcheck disable=SC2046,SC2086
    set -- $(etcd --version 2>/dev/null | sed -n 's/^etcd Version: \([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/p') $etcd_least
    [ $# -eq 6 ] || return 1
    [ $((($1 * 1000 + $2) * 1000 + $3)) -ge $((($4 * 1000 + $5) * 1000 + $6)) ]
}

if [ "$name" = etcd ] && good_etcd; then
    command -v etcd
    exit 0
fi
# The name says what it was built from, so that another version or commit never takes a wrong one.
sum=$(cat "$module"/go.mod "$module"/go.sum | cksum | cut -d ' ' -f 1)
binary=$cache/$name-$sum
if [ -x "$binary" ]; then
    echo "$binary"
    exit 0
fi
if [ $build = no ]; then
    echo "$name is not built yet: make $name" >&2
    exit 3
fi
if ! command -v go >/dev/null 2>&1; then
    instead=""
    [ "$name" != etcd ] || instead=", or an etcd of version $(echo "$etcd_least" | tr ' ' .) or later"
    echo "$name is missing, and Go to build it: install Go $(sed -n 's/^go //p' "$module/go.mod") or later$instead" >&2
    exit 3
fi
cd "$module"
if ! problem=$(go list -m 2>&1 >/dev/null); then
    echo "$name is missing, and this Go cannot build it: $problem" >&2
    exit 3
fi
echo "building $name (some minutes the first time)" >&2
mkdir -p "$cache"
CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags "$flags" -o "$binary.$$" "$package" >&2
mv "$binary.$$" "$binary"
echo "$binary"
