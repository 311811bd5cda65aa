# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by the scripts of this folder; each sets `here` (this folder) and `checkout` first.

# Kept between checkouts and after `make clean`: the toolbox, Go's caches, the built control plane.
cache=${QUBESEC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qubesec}
# The one ignored folder of the checkout: everything else that is made.
work=$checkout/.local

# The Go that everything in Go is built with, fetched through the module proxy.
toolchain=go1.27.3
use_go() { export GOTOOLCHAIN="$toolchain" GOMODCACHE="$cache/go/mod" GOCACHE="$cache/go/build"; }

# One run at a time does what $1 names, on file descriptor 9; $2: what the others are told that it does.
lock() {
    mkdir -p "$cache"
    exec 9>"$cache/$1.lock"
    flock -n 9 || { say "another run $2, waiting for it"; flock 9; }
}

# Progress goes to stderr: stdout belongs to what was asked for.
say() { printf '%s\n' "qubesec: $*" >&2; }
fail() { say "$*"; exit 1; }

# The comment at the head of script $1 is its manual.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1" >&2; exit 2; }

# Removes the toolboxes or control planes of the cache that nothing has used for a week: other checkouts and branches
# may need other ones. Using one touches its folder.
drop_unused() { find "$cache" -maxdepth 1 -type d -name "$1-*" -mtime +7 -exec rm -rf {} +; }

# Fills folder $4 of the cache once, by compile FOLDER, for the script of $1: $2 is what is built, $3 how long that takes.
build_once() {
    [ ! -d "$4" ] || { touch "$4"; return; }
    lock "$1" "builds $2"
    [ ! -d "$4" ] || return 0
    command -v go >/dev/null || fail "Go is missing: run this through tools/toolbox.sh run"
    rm -rf "$cache/$1"-*.part
    mkdir "$4.part"
    started=$(date +%s)
    say "building $2, once: $3"
    compile "$4.part" >"$cache/$1.log" 2>&1 9>&- || {
        tail -n 15 "$cache/$1.log" >&2
        fail "go build of $2 failed (its last lines are above); it needs a reachable Go module proxy"
    }
    mv -T "$4.part" "$4"
    say "$2 ready after $(($(date +%s) - started)) s: $4"
    drop_unused "$1"
}
