# shellcheck shell=sh disable=SC2034,SC2154
# Sourced by the scripts of this folder; each sets `here` (this folder) and `checkout` first.

# Kept between checkouts and after `make clean`: the toolbox, Go's caches, the built control plane.
cache=${QUBESEC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qubesec}
# The one ignored folder of the checkout: everything else that is made.
work=$checkout/.local

# Progress goes to stderr: stdout belongs to what was asked for.
say() { printf '%s\n' "qubesec: $*" >&2; }
fail() { say "$*"; exit 1; }

# The comment at the head of script $1 is its manual.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1" >&2; exit 2; }

# Removes the toolboxes or control planes of the cache that nothing has used for a week: other checkouts and branches
# may need other ones. Using one touches its folder.
drop_unused() { find "$cache" -maxdepth 1 -type d -name "$1-*" -mtime +7 -exec rm -rf {} +; }
