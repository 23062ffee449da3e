# Runs a command that must not outlive the process which started it.
#
#   sh -c "$(cat leash.sh)" leash FOLDER COMMAND [ARGUMENT...]
#
# Standard input is a pipe whose other end is held by the owner alone. A line on it means that the owner has seen
# the command end; end of file means that the owner itself is gone, however it went: then the command is killed,
# FOLDER (when not empty) is removed, and so is whatever else is left of the command's process group.
# The shell becomes the command, so the command's process id is the one the owner knows.
folder=$1
shift
exec 3<&0 </dev/null

# Whether the command is still there; one that only waits for its parent's attention has no command line any more.
runs() {
    line=
    read -r line <"/proc/$$/cmdline"
    [ -n "$line" ]
}

# Forked twice: the watcher is no child of the command, which may count or wait for its children.
(
    (
        read -r _ <&3 && exit 0
        kill -s KILL $$ 2>/dev/null
        # A killed process can still be in the middle of creating a file.
        tries=0
        while runs && [ "$tries" -lt 100 ]; do
            sleep 0.05
            tries=$((tries + 1))
        done
        [ -z "$folder" ] || rm -rf -- "$folder"
        kill -s KILL -- "-$$"
    ) >/dev/null 2>&1 &
)
exec "$@" 3<&-
