"""PutSnapshotBlock, made quickly: the one call of which a snapshot takes thousands.

For each call botocore validates parameters, resolves the endpoint, serializes, signs and parses,
which takes ten times as long as sending 512 KiB. Here only what differs from block to block is
done anew. Credentials, certificates and proxies are those of botocore's client; its events are
emitted as for any other call, so that whoever listens, a dry run or a test, sees this one, too.

The body is not part of the signature, its checksum is:
https://docs.aws.amazon.com/ebs/latest/APIReference/API_PutSnapshotBlock.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ClientError

from nitro.cloud.connections import Answer, Connections
from nitro.cloud.retries import repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import ReadOnlyCredentials
    from botocore.endpoint import Endpoint

    from nitro.cloud.session import Cloud

OPERATION = "PutSnapshotBlock"
_EVENT = f"ebs.{OPERATION}"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class _Parts(Protocol):
    """What botocore's clients are made of, and their types do not tell."""

    _endpoint: Endpoint
    _request_signer: Any


class BlockSender:
    """Sends blocks to the snapshots of one region; thread-safe.

    `heard` is told of each failure that is followed by another attempt.
    """

    def __init__(self, cloud: Cloud, heard: Callable[[BaseException], None]) -> None:
        meta, parts = cloud.ebs.meta, cast("_Parts", cloud.ebs)
        self._cloud = cloud
        self._heard = heard
        self._model = meta.service_model.operation_model(OPERATION)
        self._events: Any = meta.events  # its stubs do not know that handlers may answer
        self._signer = parts._request_signer
        self._address = meta.endpoint_url.rstrip("/")
        http: Any = parts._endpoint.http_session
        self._connections = Connections(self._address, http._verify, http._proxy_config)
        self._signature = Signature(
            urlsplit(self._address).netloc, cloud.region, self._signer.signing_name
        )

    def put(self, snapshot_id: str, index: int, block: bytes, sha256: bytes) -> None:
        """Write one whole block with the given digest. Raises as clients do."""
        params = {
            "SnapshotId": snapshot_id,
            "BlockIndex": index,
            "BlockData": block,
            "DataLength": len(block),
            "Checksum": base64.b64encode(sha256).decode(),
            "ChecksumAlgorithm": "SHA256",
        }
        repeating(
            lambda: self._send(params),
            self._model,
            params,
            self._cloud.region,
            self._cloud.sleep,
            self._cloud.endpoint_url,
            self._heard,
        )

    def close(self) -> None:
        """End the connections."""
        self._connections.close()

    def _send(self, params: dict[str, Any]) -> None:
        context: dict[str, Any] = {"client_region": self._cloud.region}  # as botocore's
        emit = self._events.emit_until_response
        self._events.emit(
            f"before-parameter-build.{_EVENT}", params=params, model=self._model, context=context
        )
        self._events.emit(
            f"provide-client-params.{_EVENT}", params=params, model=self._model, context=context
        )
        path = f"/snapshots/{params['SnapshotId']}/blocks/{params['BlockIndex']}"
        headers = {
            "x-amz-Checksum": params["Checksum"],
            "x-amz-Checksum-Algorithm": params["ChecksumAlgorithm"],
            "x-amz-Data-Length": str(params["DataLength"]),
        }
        _, answered = emit(
            f"before-call.{_EVENT}",
            model=self._model,
            params={"url_path": path, "headers": headers, "body": params["BlockData"]},
            request_signer=self._signer,
            context=context,
        )
        http, parsed = answered or self._request(path, headers, params["BlockData"])
        self._events.emit(
            f"after-call.{_EVENT}",
            http_response=http,
            parsed=parsed,
            model=self._model,
            context=context,
        )
        if http.status_code >= 300:
            raise ClientError(parsed, OPERATION)

    def _request(self, path: str, named: dict[str, str], body: bytes) -> tuple[Any, Any]:
        """Returns botocore's response, and its body parsed."""
        credentials = self._signer._credentials.get_frozen_credentials()
        signed = self._signature.sign("PUT", path, named, credentials, datetime.now(UTC))
        signed["Content-Type"] = "application/octet-stream"
        signed["Content-Length"] = str(len(body))
        url = self._address + path
        headers: Any = HeadersDict(signed)  # the stubs have another type, which urllib3 refuses
        request = AWSPreparedRequest("PUT", url, headers, body, stream_output=False)
        _, http = self._events.emit_until_response(f"before-send.{_EVENT}", request=request)
        http = http or self._connections.exchange("PUT", path, signed, body)
        if http.status_code < 300:
            return http, {"ResponseMetadata": {"HTTPStatusCode": http.status_code}}
        return http, _failure(http)


def _failure(http: AWSResponse | Answer) -> dict[str, Any]:
    """An error of the service in botocore's form, whatever its body is."""
    try:
        document = json.loads(http.content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    named = http.headers.get("x-amzn-errortype") or document.get("__type") or http.status_code
    return {
        "Error": {
            "Code": str(named).partition(":")[0].rpartition("#")[2],
            "Message": str(document.get("Message") or document.get("message") or ""),
        },
        "Reason": str(document.get("Reason", "")),
        "ResponseMetadata": {"HTTPStatusCode": http.status_code},
    }


class Signature:
    """AWS Signature Version 4 of requests without a query whose bodies are not signed.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    def __init__(self, host: str, region: str, service: str) -> None:
        self._host, self._region, self._service = host, region, service
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def sign(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        credentials: ReadOnlyCredentials,
        now: datetime,
    ) -> dict[str, str]:
        """The headers and those of the signature, without the host's.

        `path` has no characters to be quoted.
        """
        moment = f"{now:%Y%m%dT%H%M%SZ}"
        signed = {
            **headers,
            "X-Amz-Date": moment,
            "X-Amz-Content-SHA256": _UNSIGNED,
        }
        if credentials.token:
            signed["X-Amz-Security-Token"] = credentials.token
        named = {**signed, "host": self._host}
        canonical = sorted((name.lower(), value) for name, value in named.items())
        names = ";".join(name for name, _ in canonical)
        lines = "".join(f"{name}:{value}\n" for name, value in canonical)
        request = f"{method}\n{path}\n\n{lines}\n{names}\n{_UNSIGNED}"
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
        key = self._signing_key(moment[:8], str(credentials.secret_key))
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        signed["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _signing_key(self, day: str, secret: str) -> bytes:
        made_for, key = self._key
        if made_for != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = ((day, secret), key)
        return key
