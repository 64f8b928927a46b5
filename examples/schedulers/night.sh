#!/usr/bin/env bash
# A night for cron: silent when all is well, so that cron mails only what a person should read.
# Change: the folder where Reshelve and night.yaml lie.
# Give it to cron with reshelve.crontab, and make it executable.
cd /srv/reshelve || exit 2
exec 9>night.lock
flock --nonblock 9 || exit 0 # the night before is still at work

for pause_s in 600 600 600 0; do
  said=$(.venv/bin/reshelve classify night.yaml --json 2>&1)
  code=$?
  case $code in
    0) exit 0 ;;
    2 | 3 | 4) break ;; # these need a person; all else goes on from where it was
  esac
  sleep "$pause_s"
done
echo "$said"
exit $code
