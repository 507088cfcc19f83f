# What the hooks of gitmlog share; each reads it from the folder that it lies in. POSIX sh, and the git that calls them.
# gitmlog-hook 1

hook=${0##*/}
hook=${hook%.legacy} # pre-commit's `install` renames what it finds, and goes on calling it
folder=${0%/*}
ABSENT=97
PATH=${PATH:+$PATH:}/usr/bin:/bin # a graphical client or a cron job may have handed on none
export PATH

say() {
    printf 'gitmlog: %s\n' "$*" >&2
}

# The hook that was here before, with the same arguments; when it fails, so does git.
chain() {
    before=$folder/$hook.before-gitmlog
    if [ -f "$before" ] && [ -x "$before" ]; then
        "$before" "$@" || exit $?
    fi
    plain
}

# Our questions to git are to mean the same, whatever the git was told that called us.
plain() {
    unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS
    GIT_NO_REPLACE_OBJECTS=1
    export GIT_NO_REPLACE_OBJECTS
}

# As `chain`, for a hook that reads: $input is kept for us.
chain_input() {
    input=$(cat)
    before=$folder/$hook.before-gitmlog
    if [ -f "$before" ] && [ -x "$before" ]; then
        lines | "$before" "$@" || exit $?
    fi
    plain
}

# What git had written to our input.
lines() {
    if [ -n "$input" ]; then printf '%s\n' "$input"; fi
}

# $ABSENT when gitmlog is not to be had. Its Python is named in the clone's own configuration, since a graphical client hands
# on no PATH of a shell; with -P, since a folder called gitmlog in the working tree is not ours.
start_gitmlog() {
    python=$(git config --local --get gitmlog.python 2>/dev/null)
    if [ -n "$python" ] && [ -x "$python" ]; then
        PYTHONUTF8=1 "$python" -P -c "$start" "$@"
        code=$?
        if [ "$code" -ne "$ABSENT" ]; then return "$code"; fi
    fi
    if command -v gitmlog >/dev/null 2>&1; then
        PYTHONUTF8=1 gitmlog "$@"
        return $?
    fi
    return "$ABSENT"
}

call() {
    start_gitmlog hook "$hook" "$@"
}

start='
try:
    from gitmlog.__main__ import main
except ModuleNotFoundError:
    raise SystemExit(97)
main()
'

# For all hooks but pre-push and those of a server: git goes on without us.
call_or_go_on() {
    call "$@"
    code=$?
    if [ "$code" -eq "$ABSENT" ]; then
        absent
        say "$hook does nothing, git goes on"
        exit 0
    fi
    return "$code"
}

# For hooks that add something to what git has done: they never stop it.
call_and_go_on() {
    call_or_go_on "$@" || say "$hook did not do its work (exit code $?), git goes on"
    exit 0
}

absent() {
    say "this repository uses gitmlog, and it is not installed here (any more)"
    say "  to have it back: python -m pip install gitmlog, then: gitmlog hooks install"
    say "  to do without: rm '$folder'/'$hook'"
}

# The folder that gitmlog keeps its own things in, the same for all working trees.
home() {
    printf '%s/gitmlog' "$(git rev-parse --git-common-dir)"
}

# What changed in the commits of $1 that the others do not have, as `git diff-tree --raw`; what is after -- limits it.
# Not by `git log`: its configuration may leave out merges or the first commit.
changed_in() {
    tip=$1
    shift
    hidden=
    while [ "$1" != -- ]; do
        hidden="$hidden $1"
        shift
    done
    # shellcheck disable=SC2086 # ids and options, without spaces
    git rev-list "$tip" --not $hidden -- 2>/dev/null |
        git diff-tree --stdin -r -m --root --no-commit-id --raw --no-abbrev --no-renames --diff-filter=ACMRT "$@" 2>/dev/null
}

# For the hooks of a server. Without gitmlog nothing is judged: what names objects, runs, versions or stages is not let in.
refuse_or_go_on() {
    say "gitmlog is not installed on this server (any more): python -m pip install gitmlog, then: gitmlog hooks install"
    if [ -n "$(concerns | head -n 1)" ]; then
        say "what was pushed cannot be checked, and is not taken"
        exit 1
    fi
    exit 0
}

concerns() {
    lines | while read -r _ new ref; do
        case $ref in
        refs/gitmlog/* | refs/tags/run/* | refs/tags/*@* | refs/tags/*#*) echo "$ref" ;;
        esac
        case $new in
        *[!0]*) changed_in "$new" --all -- '*.gitmlog' '.gitmlog' ;;
        esac
    done
}

# Whether a metafile was written since the files were last brought along.
has_newer_metafiles() {
    stamp=$(git rev-parse --git-path gitmlog/followed)
    if [ -f "$stamp" ]; then
        newer=$(git ls-files -z -- '*.gitmlog' | STAMP=$stamp xargs -0 sh -c '
            for file; do if [ "./$file" -nt "$STAMP" ]; then echo newer; break; fi; done' sh 2>/dev/null | head -n 1)
    else
        newer=$(git ls-files -- '*.gitmlog' | head -n 1)
    fi
    [ -n "$newer" ]
}
