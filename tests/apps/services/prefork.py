# SPDX-License-Identifier: Apache-2.0
"""Servers of several processes: apache2 with both of its common models, uwsgi, php-fpm behind nginx."""
import os
import signal
import urllib.error
import urllib.request

from .harness import Case, free_port

APACHE = """ServerRoot {box}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {box}/pid
ErrorLog /dev/stderr
LogLevel error
Mutex file:{box}
DefaultRuntimeDir {box}
LoadModule mpm_{model}_module /usr/lib/apache2/modules/mod_mpm_{model}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
User www-data
Group www-data
StartServers 3
{limits}
DocumentRoot {box}/www
<Location /server-status>
SetHandler server-status
</Location>
"""
LIMITS = {"prefork": "MinSpareServers 2\nMaxSpareServers 4\nMaxRequestWorkers 8",
          "event": "MinSpareThreads 8\nMaxSpareThreads 32\nThreadsPerChild 8\nMaxRequestWorkers 32"}


def get(port, path):
    """(status, body) of one request."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, b""


def apache(model):
    def check(side, box):
        port = free_port()
        box.file("www/index.html", "hello\n")
        box.file("www/large", b"0123456789abcdef" * 65536)
        for folder in (box.path, box.file("www")):
            os.chmod(folder, 0o755)
        conf = box.file("apache.conf", APACHE.format(box=box.path, port=port, model=model, limits=LIMITS[model]))
        server = side.start(["/usr/sbin/apache2", "-f", conf, "-DFOREGROUND"], ready=port)
        seen = [("page", get(port, "/")), ("missing", get(port, "/nothing")[0])]
        seen.append(("large", get(port, "/large") == (200, b"0123456789abcdef" * 65536)))
        seen.append(("many", {get(port, "/")[0] for _ in range(100)}))
        status = get(port, "/server-status?auto")
        seen.append(("scoreboard", status[0], b"Scoreboard: " in status[1]))
        server.send_signal(signal.SIGUSR1)  # graceful: new children, the same parent
        server.wait_until(lambda: server.err.count(b"resuming normal operations") >= 2)
        seen.append(("after a graceful restart", get(port, "/")))
        seen.append(("end", server.stop(signal.SIGTERM)))
        return seen
    return check


WSGI = """import os
def application(env, start):
    start('200 OK', [('Content-Type', 'text/plain')])
    return [('%s %s' % (env['REQUEST_METHOD'], env['PATH_INFO'])).encode()]
"""


def uwsgi(side, box):
    port = free_port()
    box.file("app.py", WSGI)
    server = side.start(["uwsgi", "--plugin", "python3", "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "3", "--die-on-term",
                         "--chdir", box.path, "--module", "app", "--disable-logging"], ready=port)
    seen = [("page", get(port, "/a/b")), ("many", {get(port, f"/{i}") == (200, f"GET /{i}".encode()) for i in range(100)})]
    return seen + [("end", server.stop(signal.SIGTERM))]


FPM = """[global]
error_log = /dev/stderr
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{fpm}
pm = static
pm.max_children = 3
"""
NGINX = """daemon off;
pid {box}/nginx.pid;
error_log /dev/stderr error;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {box}/b; proxy_temp_path {box}/p; fastcgi_temp_path {box}/f; uwsgi_temp_path {box}/u; scgi_temp_path {box}/s;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            fastcgi_pass 127.0.0.1:{fpm};
            fastcgi_param SCRIPT_FILENAME {box}/www$uri;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param QUERY_STRING $query_string;
        }}
    }}
}}
"""
PAGE = "<?php header('X-A: b'); echo 'sum ', array_sum(range(1, (int)$_GET['n'])), ' ', php_sapi_name(), \"\\n\";"


def fpm(side, box):
    port, backend = free_port(), free_port()
    for folder in (box.path, os.path.dirname(box.file("www/sum.php", PAGE))):
        os.chmod(folder, 0o755)
    conf = box.file("fpm.conf", FPM.format(fpm=backend))
    workers = side.start(["php-fpm8.2", "-n", "-y", conf, "-F", "-R"], ready=backend)
    front = side.start(["nginx", "-c", box.file("nginx.conf", NGINX.format(box=box.path, port=port, fpm=backend))], ready=port)
    seen = [("page", get(port, "/sum.php?n=100")), ("missing", get(port, "/none.php")[0])]
    seen.append(("many", {get(port, f"/sum.php?n={n}") == (200, f"sum {n * (n + 1) // 2} fpm-fcgi\n".encode()) for n in range(1, 101)}))
    workers.send_signal(signal.SIGUSR2)  # reload
    workers.wait_until(lambda: get(port, "/sum.php?n=3")[0] == 200)
    return seen + [("end", workers.stop(signal.SIGQUIT)), ("front", front.stop(signal.SIGQUIT))]


CASES = [
    Case("apache2-prefork", "/usr/sbin/apache2", "apache2-bin", "mpm_prefork: pages, 1 MiB, server-status, graceful restart, SIGTERM", apache("prefork")),
    Case("apache2-event", "/usr/sbin/apache2", "apache2-bin", "mpm_event: pages, 1 MiB, server-status, graceful restart, SIGTERM", apache("event")),
    Case("uwsgi", "uwsgi", "uwsgi-core", "master and three workers, a Python application, SIGTERM", uwsgi),
    Case("php-fpm", "php-fpm8.2", "php8.2-fpm", "three workers as www-data behind nginx, reload, SIGQUIT", fpm, needs=("nginx",)),
]
