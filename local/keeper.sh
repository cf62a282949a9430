#!/bin/sh
# keeper.sh DIRECTORY MODE: makes the scratch directory of one run of the stand-in, and cleans up after the run however
# it ends. keeper.sh DIRECTORY: cleans up now, for a run whose own keeper was killed.
#
# The run holds the other end of this process's stdin. When it stops, or is killed (kill -9 too), the pipe closes; then
# this ends Postgres and every process that carries the run's mark in its environment, and removes the directory.
trap '' INT TERM HUP QUIT
directory=$1
if [ -n "$2" ]; then
  mkdir -m "$2" "$directory" || exit 1
  echo made
  cat >/dev/null
fi

# Every process started by the run has this in its environment (Linux; elsewhere children watch their stdin).
marked() {
  grep -lszxF "LOCAL_SUPABASE_RUN=$directory" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}
signal() {
  for process in $(marked); do kill "-$1" "$process" 2>/dev/null; done
}
running() { kill -0 "$1" 2>/dev/null; }

pidfile=$directory/data/postmaster.pid
postmaster=$(head -n 1 "$pidfile" 2>/dev/null)
if [ -n "$postmaster" ]; then
  if [ -r "/proc/$postmaster/cmdline" ]; then
    command=$(tr '\0' ' ' <"/proc/$postmaster/cmdline")
  else
    command=$(ps -o command= -p "$postmaster" 2>/dev/null)
  fi
  case $command in
    *"$directory/data"*) kill -QUIT "$postmaster" 2>/dev/null ;;
    *)
      # Killed earlier: only its interlock in shared memory is left.
      ipcrm -m "$(sed -n 7p "$pidfile" | awk '{print $2}')" 2>/dev/null
      postmaster=
      ;;
  esac
fi

signal TERM
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  { [ -z "$postmaster" ] || ! running "$postmaster"; } && [ -z "$(marked)" ] && break
  sleep 0.05
done
signal KILL
[ -n "$postmaster" ] && running "$postmaster" && kill -KILL "$postmaster" 2>/dev/null
rm -rf "$directory"
