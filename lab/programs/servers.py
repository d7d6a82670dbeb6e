"""Servers of Debian's."""

from __future__ import annotations

from lab.programs.case import HTTP_GET, Case

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
            *("--advertise-client-urls", "http://127.0.0.1:2379"),
        ),
        ask=b"GET /version HTTP/1.0\r\nHost: guest\r\n\r\n",
        extra='folders = ["/var/lib/etcd"]\nminimum_memory_mib = 200\n',
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
        ask=HTTP_GET,
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
        arguments=("-d",),
        ask=_DNS,
        extra='files = [{ source = "unbound.conf", path = "/etc/unbound/unbound.conf" }]\n',
        files={
            "unbound.conf": "server:\n interface: 0.0.0.0\n access-control: 0.0.0.0/0 allow\n"
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
        ask=HTTP_GET,
    ),
    Case(
        "PostgreSQL",
        "server of Debian's",
        5432,
        b"N",
        """\
packages = ["postgresql-17"]
programs = ["/usr/lib/postgresql/17/bin/postgres", "/usr/lib/postgresql/17/bin/initdb"]
files = ["/usr/share/postgresql/17", "/usr/lib/postgresql/17/lib"]
folders = [{ path = "/var/lib/pg", owner = "postgres", mode = "0700" }]
setup = ["/usr/lib/postgresql/17/bin/initdb", "-D", "/var/lib/pg", "-A", "trust"]
command = ["/usr/lib/postgresql/17/bin/postgres", "-D", "/var/lib/pg", "-k", "/tmp", "-h", "*"]
user = "postgres"
ports = [5432]
""",
        ask=bytes.fromhex("00000008 04d2162f"),  # SSLRequest
    ),
)
