"""Scripts by their paths, and runtimes with a recipe."""

from __future__ import annotations

from lab.programs import made
from lab.programs.case import HTTP_GET, Case

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
        name, "script by its path", 8080, answer, program=file, ask=HTTP_GET, files={file: text}
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
        ask=HTTP_GET,
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
        ask=HTTP_GET,
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
files = ["app.pl"]
command = ["app.pl", "daemon", "-l", "http://*:3000"]
ports = [3000]
""",
        ask=HTTP_GET,
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
        ask=HTTP_GET,
        make=made.jar,
    ),
    Case(
        *("FastAPI, uvicorn and numpy in an environment", "script by its path", 8080, b'"sum":10'),
        program="app.py",
        ask=HTTP_GET,
        files={"app.py": _FASTAPI},
        make=made.environment,
    ),
)
