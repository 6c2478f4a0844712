# SPDX-License-Identifier: Apache-2.0
"""Tools that run many processes: version control, archives, keys, copying, databases in files, shells."""
from .harness import Case
from .languages import program

# Each ends with a number of its own; what differs between two native runs (dates, names) is left out.
GIT = r"""
set -eu; d=$(mktemp -d); cd $d; export HOME=$d GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git config --global user.name N; git config --global user.email n@example.org; git config --global init.defaultBranch main; git config --global gc.auto 0
git init -q a; cd a; for i in 1 2 3 4 5 6 7 8 9 10; do seq $i $((i * 100)) > f$i; git add f$i; git commit -qm "commit $i"; done
git rev-parse HEAD; git log --oneline | wc -l; git checkout -qb side HEAD~3; echo side > s; git add s; git commit -qm side; git checkout -q main
git merge -q side -m merge; git log --graph --format=%s | head -n 6; git tag -a v1 -m one; git describe; sed -i s/50/fifty/ f1; git diff --stat; git stash -q; git stash pop -q
git checkout -q f1; git rebase -q HEAD~1 2>&1 | tail -n 1; cd ..; git clone -q a b; git clone -q --bare a c.git; cd b; echo more > m; git add m; git commit -qm more; git remote set-url origin $d/c.git
git push -q origin main; cd ../a; git pull -q $d/c.git main; git log -1 --format=%s; git gc -q --aggressive --prune=now; git fsck --strict 2>&1 | grep -v '^Checking' || true; git count-objects | cut -d' ' -f1
git archive HEAD | tar t | sort | tail -n 3; git grep -c 777 || true; git blame f2 | head -n 1 | cut -d' ' -f1; git shortlog -sn HEAD | cat
git worktree add -q ../w side; git -C ../w status -sb; cd /; rm -rf $d; exit 4
"""
ARCHIVES = r"""
set -eu; d=$(mktemp -d); cd $d; mkdir -p t/sub t/DEBIAN; seq 1 20000 > t/numbers; head -c 300000 /usr/bin/env > t/binary 2>/dev/null || true; ln -s numbers t/link; ln t/numbers t/hard; chmod 600 t/binary; mkfifo t/fifo
for z in gzip bzip2 xz; do tar cf - t | $z -c > t.tar.$z; $z -dc t.tar.$z | tar tf - | sort | wc -l; mkdir x.$z; $z -dc t.tar.$z | (cd x.$z && tar xpf -); cmp t/numbers x.$z/t/numbers; ls -l x.$z/t/binary | cut -c1-10; readlink x.$z/t/link; done
rm t/fifo; printf 'Package: hello-nacre\nVersion: 1.2-3\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: a package\n of nothing\n' > t/DEBIAN/control
SOURCE_DATE_EPOCH=1 dpkg-deb --root-owner-group -b t hello.deb > /dev/null; dpkg-deb -I hello.deb | grep -c Package; dpkg-deb -c hello.deb | awk '{print $1, $2, $NF}'; dpkg-deb -x hello.deb out; cmp t/numbers out/numbers; dpkg-deb -f hello.deb Version
find t -type f | sort | cpio -o -H newc 2> /dev/null > t.cpio || true; sha256sum t/numbers t/binary | sha256sum | cut -c1-16; split -n 3 t/numbers part.; cat part.* | cmp - t/numbers; md5sum part.* > sums; md5sum -c sums; cd /; rm -rf $d; exit 5
"""
KEYS = r"""
set -eu; d=$(mktemp -d); cd $d; chmod 700 .; export GNUPGHOME=$d
for t in ed25519 rsa ecdsa; do ssh-keygen -q -t $t -N '' -f k.$t -C me; ssh-keygen -y -f k.$t > p; cut -d' ' -f1 p; ssh-keygen -lf k.$t.pub | awk '{print $1, $NF}'; done
echo data > data; ssh-keygen -q -Y sign -f k.ed25519 -n file data 2> /dev/null; echo "me $(cat k.ed25519.pub)" > allowed; ssh-keygen -Y verify -f allowed -I me -n file -s data.sig < data | cut -d' ' -f1-4
echo more >> data; ssh-keygen -Y verify -f allowed -I me -n file -s data.sig < data > /dev/null 2>&1 || echo refused; ssh-keygen -q -p -P '' -N secret -f k.rsa > /dev/null; ssh-keygen -y -P wrong -f k.rsa 2>&1 | grep -c incorrect
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert -subj /CN=nacre -days 2 2> /dev/null; openssl verify -CAfile cert cert; openssl x509 -in cert -noout -subject
if command -v gpg > /dev/null; then seq 1 10000 > plain; gpg --batch -q --pinentry-mode loopback --passphrase p -o sealed --symmetric --cipher-algo AES256 plain; gpg --batch -q --pinentry-mode loopback --passphrase p -d sealed | cmp - plain && echo same
gpg --batch -q --pinentry-mode loopback --passphrase wrong -d sealed > /dev/null 2>&1 || echo wrong; gpgconf --kill all; fi; cd /; rm -rf $d; exit 6
"""
RSYNC = r"""
set -eu; d=$(mktemp -d); cd $d; mkdir -p from/a/b; for i in $(seq 1 200); do seq $i $((i * 7)) > from/a/f$i; done; seq 1 100000 > from/big; ln -s a from/l; chmod 640 from/big; touch -d @86400 from/big
rsync -a from/ to/; diff -r from to && echo same; stat -c '%a %Y' to/big; sed -i 's/^5000$/five/' from/big; rm from/a/f7; rsync -a --no-whole-file --stats from/ to/ | grep -E 'files transferred|Literal data' ; ls to/a | wc -l
rsync -a --delete --itemize-changes from/ to/; ls to/a | wc -l; rsync -a --exclude='f1*' --prune-empty-dirs from/ part/; ls part/a | wc -l; rsync -an --checksum from/ to/; rsync -a missing/ to/ > /dev/null 2>&1 || echo "status $?"
rsync -az --link-dest=$d/to from/ again/; test from/a/f1 -nt again/a/f1 || test $(stat -c %h again/a/f1) = 2 && echo linked; cd /; rm -rf $d; exit 7
"""
LOCKS = r"""
set -eu; d=$(mktemp -d); cd $d; sqlite3 db 'create table t(who, n); create table total(n); insert into total values (0)'
writer() { i=0; while [ $i -lt 40 ]; do sqlite3 -cmd '.timeout 20000' db "begin immediate; insert into t values ($1, $i); update total set n = n + 1; commit"; i=$((i + 1)); done; }
writer 1 & writer 2 & writer 3 & wait; sqlite3 db 'select who, count(*) from t group by who; select n from total; pragma integrity_check'
mkfifo hold; (echo 'begin exclusive; insert into total values (99);'; echo .print locked; cat hold > /dev/null; echo 'rollback;') | sqlite3 db > out & while ! grep -q locked out 2> /dev/null; do sleep 0.01; done
sqlite3 db 'select n from total' 2>&1 || echo "status $?"; sqlite3 -cmd '.timeout 100' db 'insert into t values (9, 9)' 2>&1 || echo "status $?"; echo go > hold; wait; sqlite3 db 'select count(*), sum(n) from total'
sqlite3 db 'pragma journal_mode=delete' > /dev/null; (echo 'begin; insert into t values (7, 7);'; sleep 2) | sqlite3 db & sleep 0.3; kill -9 $!; wait $! 2> /dev/null || true; sqlite3 -cmd '.timeout 5000' db 'pragma integrity_check; select count(*) from t where who = 7'
flock -n lock -c 'flock -n lock true || echo "held"'; (flock 9; sleep 0.2; echo first) 9> lock2 & sleep 0.05; (flock 9; echo second) 9> lock2; wait; cd /; rm -rf $d; exit 8
"""
DASH = r"""
set -u; d=$(mktemp -d); cd $d
x='a b'; set -- $x "$x" "${x#a }" "${x%b}" "${y-none}" "${#x}"; for a; do printf '[%s]' "$a"; done; echo; IFS=:; set -- $(echo a:b::c); echo $#; unset IFS
f() { local v=1; return 7; }; f; echo $?; (exit 5); echo $?; ! true; echo $?; { echo a; echo b; } | { read v; echo "first $v"; cat; }; echo $(( (1 << 5) | 3 )) $((-7 / 2)) $((-7 % 2))
case abc in a*) echo star;; esac; for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; while :; do break; done; until false; do break; done; eval 'echo eval $x'; echo "$(echo "nested $(echo deep)")"
trap 'echo exit trap' EXIT; (trap 'echo inner' EXIT; exit 3); echo $?; trap 'echo got term' TERM; kill -TERM $$; trap - TERM; sh -c 'kill -9 $$'; echo $?; sh -c 'kill -SEGV $$' 2> /dev/null; echo $?
sleep 100 & p=$!; kill -STOP $p; kill -CONT $p; kill $p; wait $p; echo $?; wait 99999 2> /dev/null; echo $?; sh -c 'exit 300'; echo $?; nosuchcommand 2> /dev/null; echo $?; ./missing 2> /dev/null; echo $?; : > plain; ./plain 2> /dev/null; echo $?
exec 3> out; echo three >&3; exec 3>&-; cat out; cat <<-E1 <<E2
	dropped
	E1
kept $((2 + 2))
E2
echo 'echo script $0 $#; exit 9' > s; sh s a b; echo $?; . ./s; echo unreachable
"""
DAEMON = r"""
set -eu; d=$(mktemp -d); cd $d; printf '#!/bin/sh\ntrap "echo reload >> %s/log" HUP\ntrap "echo stop >> %s/log; exit 0" TERM\necho start >> %s/log\nwhile :; do sleep 0.05; done\n' $d $d $d > daemon; chmod 755 daemon
start-stop-daemon --start --background --make-pidfile --pidfile $d/pid --exec $d/daemon; while ! grep -q start log 2> /dev/null; do sleep 0.02; done
start-stop-daemon --status --pidfile $d/pid; echo "status $?"; start-stop-daemon --start --background --pidfile $d/pid --startas $d/daemon --name daemon && echo again || echo "status $?"
start-stop-daemon --stop --signal HUP --pidfile $d/pid; while ! grep -q reload log; do sleep 0.02; done; start-stop-daemon --stop --retry TERM/10/KILL/5 --pidfile $d/pid; echo "stopped $?"; cat log
start-stop-daemon --status --pidfile $d/pid || echo "status $?"; cp /bin/sleep $d/sleeper; start-stop-daemon --start --background --exec $d/sleeper -- 100; for i in 1 2 3 4 5 6 7 8 9; do start-stop-daemon --status --exec $d/sleeper && break; sleep 0.1; done
start-stop-daemon --stop --retry 5 --exec $d/sleeper; echo "by path $?"; start-stop-daemon --stop --exec $d/sleeper > /dev/null && echo found || echo "none $?"; setsid sh -c 'echo $$ > sid; exec sleep 100' & sleep 0.3; s=$(cat sid); kill -TERM -$s; wait $! 2> /dev/null || echo "group $?"
nohup sh -c 'kill -HUP $$; echo survived' 2> /dev/null; timeout 0.2 sleep 10 || echo "timeout $?"; timeout -s KILL 0.2 sleep 10 || echo "kill $?"; cd /; rm -rf $d; exit 10
"""

CASES = [
    Case("git", "git", "git", "init, commits, merge, rebase, clone, push, pull, gc, fsck, archive, blame, worktree of local repositories", program(["bash", "-c", GIT], 4)),
    Case("archives", "dpkg-deb", "dpkg", "tar with gzip, bzip2 and xz in pipelines; dpkg-deb builds and unpacks; split and sums", program(["bash", "-c", ARCHIVES], 5), needs=("xz", "bzip2")),
    Case("keys", "ssh-keygen", "openssh-client", "ssh-keygen makes, signs and verifies; openssl certificate; gpg --symmetric with its agent", program(["bash", "-c", KEYS], 6), needs=("openssl",)),
    Case("rsync", "rsync", "rsync", "200 files copied, changed, deleted, excluded, hard-linked; delta transfer between two processes", program(["bash", "-c", RSYNC], 7)),
    Case("sqlite3-locks", "sqlite3", "sqlite3", "three processes write one database; exclusive locks, busy timeouts, a killed writer; flock", program(["bash", "-c", LOCKS], 8), needs=("flock",)),
    Case("dash", "dash", "dash", "expansions, redirections, traps, jobs, exit statuses of the POSIX shell", program(["dash", "-c", DASH], 9), fast=True),
    Case("daemons", "start-stop-daemon", "dpkg", "start-stop-daemon: background, pid file, reload, stop, by program; setsid, nohup, timeout", program(["bash", "-c", DAEMON], 10)),
]
