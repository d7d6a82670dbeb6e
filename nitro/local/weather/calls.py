"""Which API a request calls."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

_REGION = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")
LARGEST_FORM = 1024**2  # bytes of a request of the query protocol


@dataclass(frozen=True)
class ApiCall:
    """A request by its API: "ec2:RunInstances", "ssm:PutParameter", or "s3:PUT" and "ebs:PUT".

    `parameters` are those of the query protocol, by their names on the wire ("InstanceId.1").
    """

    service: str
    name: str
    path: str
    query: str
    host: str
    region: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"{self.service}:{self.name}"


def read(service: str, environ: dict[str, Any]) -> ApiCall:
    """The call that a WSGI request makes; its body stays readable."""
    path, _, query = str(environ.get("RAW_URI", "/")).partition("?")
    host = str(environ.get("HTTP_HOST", "")).partition(":")[0]
    scope = _REGION.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    where = (path, query, host, scope[1] if scope else "")
    if target := str(environ.get("HTTP_X_AMZ_TARGET", "")):
        return ApiCall(service, target.rpartition(".")[2], *where)
    if service in ("s3", "ebs"):
        return ApiCall(service, str(environ["REQUEST_METHOD"]), *where)
    length = str(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(min(int(length), LARGEST_FORM)) if length.isdigit() else b""
    environ["wsgi.input"] = io.BytesIO(body)
    form = parse_qsl(query) + parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    parameters = dict(form)
    return ApiCall(service, parameters.get("Action", ""), *where, parameters)
