"""The programs: a recipe or words of the command line, and a request with a part of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.programs import made


@dataclass(frozen=True)
class Case:
    """`recipe`: the file's text, or "" where `program`, a name in `files`, is run by itself; it may
    be a container image's. `make` puts in the folder what no text can be.

    `ask` is sent to `port` when a connection stands, and `answer` is somewhere in what comes back.
    `family`: what kind of program it is, as docs/programs.md groups them.
    """

    name: str
    family: str
    port: int
    answer: bytes
    recipe: str = ""
    program: str = ""
    ask: bytes = b""
    files: Mapping[str, str] = field(default_factory=dict)
    make: Callable[[Path], None] = lambda _: None

    @property
    def lines(self) -> int:
        """Lines of the recipe; 0 where none is needed."""
        return len(self.recipe.strip().splitlines())


_GET = b"GET / HTTP/1.0\r\nHost: guest\r\n\r\n"
# A question for the address of "test" over TCP (RFC 1035, 4.1 and 4.2.2).
_DNS = bytes.fromhex("0016 1234 0100 0001 0000 0000 0000 04 74657374 00 0001 0001")
_MQTT = bytes.fromhex("10 0d 0004 4d515454 04 02 003c 0001 61")  # CONNECT of MQTT 3.1.1


def _server(name: str, package: str, path: str, port: int, answer: bytes, **more: object) -> Case:
    """A server of Debian's that a program and its arguments are enough for."""
    arguments = more.pop("arguments", ())
    extra = str(more.pop("extra", ""))
    assert isinstance(arguments, tuple)
    words = ", ".join(f'"{word}"' for word in (path, *arguments))
    recipe = f'packages = ["{package}"]\nprograms = ["{path}"]\ncommand = [{words}]\n'
    recipe += f"ports = [{port}]\n{extra}"
    return Case(name, "server of Debian's", port, answer, recipe, **more)  # type: ignore[arg-type]


SERVERS = (
    _server(
        *("redis", "redis-server", "/usr/bin/redis-server", 6379, b"+PONG"),
        arguments=("--bind", "*", "--protected-mode", "no", "--save", ""),
        ask=b"PING\r\n",
    ),
    _server(
        *("valkey", "valkey-server", "/usr/bin/valkey-server", 6379, b"+PONG"),
        arguments=("--bind", "*", "--protected-mode", "no", "--save", ""),
        ask=b"PING\r\n",
    ),
    _server(
        *("memcached", "memcached", "/usr/bin/memcached", 11211, b"STAT pid"),
        ask=b"stats\r\nquit\r\n",
        extra='user = "memcache"\n',
    ),
    _server(
        *("beanstalkd", "beanstalkd", "/usr/bin/beanstalkd", 11300, b"OK "),
        arguments=("-l", "0.0.0.0"),
        ask=b"stats\r\nquit\r\n",
    ),
    _server(
        *("nats-server", "nats-server", "/usr/sbin/nats-server", 4222, b"INFO {"),
    ),
    _server(
        *("etcd", "etcd-server", "/usr/bin/etcd", 2379, b"etcdserver"),
        arguments=(
            *("--data-dir", "/var/lib/etcd", "--listen-client-urls", "http://0.0.0.0:2379"),
            *("--advertise-client-urls", "http://localhost:2379"),
        ),
        ask=b"GET /version HTTP/1.0\r\nHost: guest\r\n\r\n",
        extra='folders = ["/var/lib/etcd"]\n',
    ),
    _server(
        *("node-exporter", "prometheus-node-exporter", "/usr/bin/prometheus-node-exporter"),
        9100,
        b"node_load1",
        ask=b"GET /metrics HTTP/1.0\r\nHost: guest\r\n\r\n",
    ),
    _server(
        *("caddy", "caddy", "/usr/bin/caddy", 80, b"root:x:0:0"),
        arguments=("file-server", "--listen", ":80", "--root", "/etc"),
        ask=b"GET /passwd HTTP/1.0\r\nHost: guest\r\n\r\n",
    ),
    _server(
        *("mini-httpd", "mini-httpd", "/usr/sbin/mini_httpd", 80, b"root:x:0:0"),
        arguments=("-D", "-d", "/etc"),
        ask=b"GET /passwd HTTP/1.0\r\nHost: guest\r\n\r\n",
    ),
    _server(
        *("dropbear", "dropbear-bin", "/usr/sbin/dropbear", 22, b"SSH-2.0-dropbear"),
        arguments=("-F", "-E", "-R"),
        extra='folders = ["/etc/dropbear"]\n',
    ),
    _server(
        *("dnsmasq", "dnsmasq-base", "/usr/sbin/dnsmasq", 53, bytes([10, 1, 2, 3])),
        arguments=("--keep-in-foreground", "--no-resolv", "--address=/test/10.1.2.3"),
        ask=_DNS,
        extra='user = "root"\n',
    ),
    _server(
        *("iperf3", "iperf3", "/usr/bin/iperf3", 5201, b"\x09"),
        arguments=("--server",),
        ask=b"a" * 36 + b"\0",
    ),
    _server(
        *("rsync", "rsync", "/usr/bin/rsync", 873, b"@RSYNCD: "),
        arguments=("--daemon", "--no-detach"),
        extra='files = [{ source = "rsyncd.conf", path = "/etc/rsyncd.conf" }]\n',
        files={"rsyncd.conf": "[etc]\npath = /etc\n"},
    ),
    _server(
        *("mosquitto", "mosquitto", "/usr/sbin/mosquitto", 1883, bytes.fromhex("20020000")),
        arguments=("-c", "/etc/own.conf"),
        ask=_MQTT,
        extra='files = [{ source = "own.conf", path = "/etc/own.conf" }]\n',
        files={"own.conf": "listener 1883\nallow_anonymous true\n"},
    ),
    _server(
        *("haproxy", "haproxy", "/usr/sbin/haproxy", 80, b"503 Service Unavailable"),
        arguments=("-W", "-db", "-f", "/etc/own.cfg"),
        ask=_GET,
        extra='files = [{ source = "own.cfg", path = "/etc/own.cfg" }]\n',
        files={
            "own.cfg": "defaults\n mode http\n timeout client 5s\n timeout server 5s\n"
            " timeout connect 5s\nfrontend f\n bind :80\n default_backend b\nbackend b\n"
        },
    ),
    _server(
        *("tinyproxy", "tinyproxy-bin", "/usr/bin/tinyproxy", 8888, b"tinyproxy"),
        arguments=("-d", "-c", "/etc/own.conf"),
        ask=b"GET http://localhost:1/ HTTP/1.0\r\n\r\n",
        extra='files = [{ source = "own.conf", path = "/etc/own.conf" }]\n',
        files={"own.conf": "Port 8888\nTimeout 10\n"},
    ),
    _server(
        *("unbound", "unbound", "/usr/sbin/unbound", 53, bytes([10, 1, 2, 3])),
        arguments=("-d", "-c", "/etc/own.conf"),
        ask=_DNS,
        extra='files = [{ source = "own.conf", path = "/etc/own.conf" }]\n',
        files={
            "own.conf": "server:\n interface: 0.0.0.0\n access-control: 0.0.0.0/0 allow\n"
            ' chroot: ""\n username: ""\n local-data: "test. A 10.1.2.3"\n'
        },
    ),
    Case(
        "nginx with Debian's configuration",
        "server of Debian's",
        80,
        b"Welcome to nginx!",
        """\
packages = ["nginx"]
programs = ["/usr/sbin/nginx"]
files = ["/etc/nginx", "/usr/share/nginx/html"]
folders = ["/var/log/nginx", "/var/lib/nginx"]
command = ["/usr/sbin/nginx", "-g", "daemon off;"]
ports = [80]
[links]
"/etc/nginx/sites-enabled/default" = "../sites-available/default"
"/var/www/html" = "/usr/share/nginx/html"
""",
        ask=_GET,
    ),
    Case(
        "PostgreSQL",
        "server of Debian's",
        5432,
        b"N",
        """\
packages = ["postgresql-17"]
programs = ["/usr/lib/postgresql/17/bin/postgres", "/usr/lib/postgresql/17/bin/initdb"]
files = ["start", "/usr/share/postgresql/17", "/usr/lib/postgresql/17/lib"]
folders = [{ path = "/var/lib/pg", owner = "postgres", mode = "0700" }]
command = ["/bin/sh", "/usr/bin/start"]
user = "postgres"
ports = [5432]
""",
        ask=bytes.fromhex("00000008 04d2162f"),  # SSLRequest
        files={
            "start": "cd /usr/lib/postgresql/17/bin\n./initdb -D /var/lib/pg --no-sync -A trust "
            '&& exec ./postgres -D /var/lib/pg -k /tmp -c "listen_addresses=*"\n'
        },
    ),
)

_PYTHON = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from Python")

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
_NODE = "require('http').createServer((_, answer) => answer.end('from Node')).listen(8080)\n"
_RUBY = """\
require 'webrick'
server = WEBrick::HTTPServer.new(Port: 8080)
server.mount_proc('/') { |_, answer| answer.body = 'from Ruby' }
server.start
"""
_PERL = """\
use strict;
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
    my $line = <$client>;
    print $client "HTTP/1.0 200 OK\\r\\n\\r\\nfrom Perl";
    close $client;
}
"""


def _script(name: str, file: str, text: str, answer: bytes) -> Case:
    return Case(
        name, "script by its path", 8080, answer, program=file, ask=_GET, files={file: text}
    )


SCRIPTS = (
    _script("Python", "app.py", _PYTHON, b"from Python"),
    _script("Node.js", "server.js", _NODE, b"from Node"),
    _script("Ruby", "app.rb", _RUBY, b"from Ruby"),
    _script("PHP", "index.php", "<?php echo 'from PHP', ctype_alpha('x');\n", b"from PHP1"),
    _script("Perl", "script.pl", _PERL, b"from Perl"),
)

FRAMEWORKS = (
    Case(
        "python3 -m http.server",
        "runtime with a recipe",
        8000,
        b"root:x:0:0",
        """\
runtime = "python"
command = ["-m", "http.server", "8000", "--directory", "/etc"]
ports = [8000]
""",
        ask=b"GET /passwd HTTP/1.0\r\n\r\n",
    ),
    Case(
        "Flask",
        "runtime with a recipe",
        8000,
        b"from Flask",
        """\
runtime = "python"
packages = ["python3-flask"]
files = ["app.py"]
command = ["-m", "flask", "run", "--host", "0.0.0.0", "--port", "8000"]
ports = [8000]
""",
        ask=_GET,
        files={
            "app.py": "from flask import Flask\napp = Flask(__name__)\n\n"
            "@app.get('/')\ndef root():\n    return 'from Flask'\n"
        },
    ),
    Case(
        "Express",
        "runtime with a recipe",
        8080,
        b"from Express",
        """\
runtime = "node"
packages = ["node-express"]
files = ["server.js"]
ports = [8080]
""",
        ask=_GET,
        files={
            "server.js": "const app = require('express')()\n"
            "app.get('/', (_, answer) => answer.send('from Express'))\napp.listen(8080)\n"
        },
    ),
    Case(
        "Sinatra",
        "runtime with a recipe",
        4567,
        b"from Sinatra",
        """\
runtime = "ruby"
packages = ["ruby-sinatra", "ruby-rackup"]
files = ["app.rb"]
ports = [4567]
""",
        ask=b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        files={
            "app.rb": "require 'sinatra'\nset :bind, '0.0.0.0'\nset :server, 'webrick'\n"
            "get('/') { 'from Sinatra' }\n"
        },
    ),
    Case(
        "Mojolicious",
        "runtime with a recipe",
        3000,
        b"from Mojolicious",
        """\
runtime = "perl"
packages = ["libmojolicious-perl"]
files = ["app.pl", "/usr/share/perl5"]
command = ["app.pl", "daemon", "-l", "http://*:3000"]
ports = [3000]
""",
        ask=_GET,
        files={
            "app.pl": "use Mojolicious::Lite;\nget '/' => sub { shift->render("
            "text => 'from Mojolicious') };\napp->start;\n"
        },
    ),
)

_FASTAPI = """\
import numpy
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def root():
    return {"sum": int(numpy.arange(5).sum())}

uvicorn.run(app, host="0.0.0.0", port=8080)
"""

MADE = (
    Case(
        *("Java archive", "script by its path", 8080, b"from Java"),
        program="app.jar",
        ask=_GET,
        make=made.jar,
    ),
    Case(
        *("FastAPI, uvicorn and numpy in an environment", "script by its path", 8080, b'"sum":10'),
        program="app.py",
        ask=_GET,
        files={"app.py": _FASTAPI},
        make=made.environment,
    ),
    Case(
        *("static program in an OCI layout", "container image", 8080, b"from a static program"),
        program="oci:image",
        ask=_GET,
        make=made.static_image,
    ),
    Case(
        *("Debian base with redis, docker save", "container image", 6379, b"+PONG"),
        program="docker-archive:image.tar",
        ask=b"PING\r\n",
        make=made.saved_image,
    ),
)

CASES = (*SERVERS, *SCRIPTS, *FRAMEWORKS, *MADE)
