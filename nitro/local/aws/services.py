"""moto's other services, held to their models: what is not honoured is refused by name.

A request's operation and parameters are checked by botocore's model before moto sees them, and
whatever moto raises is answered in the form of the service. Requests to a region take turns.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from botocore.model import OperationModel
from botocore.validate import ParamValidator
from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse
from moto.kms.models import kms_backends
from moto.kms.responses import KmsResponse
from moto.servicequotas.models import servicequotas_backends
from moto.ssm.models import ssm_backends
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse
from moto.utilities.utils import get_partition

from nitro.local.aws.api import constraints, faults, forms, requests, support
from nitro.local.aws.kms_archive import LocalKMSBackend
from nitro.local.aws.parameters import LocalSSMBackend
from nitro.local.aws.password_policy import LocalIAMBackend
from nitro.local.aws.service_quotas import LocalServiceQuotasResponse
from nitro.local.aws.site import Site

_log = logging.getLogger(__name__)

#: what the service calls an operation that it does not have, bad input, and its own faults
_CODES = {
    "query": ("InvalidAction", "ValidationError", "InternalFailure"),
    "json": ("UnknownOperationException", "ValidationException", "InternalServerError"),
}

#: service, as signatures name it → moto's backends and the class of its responses
_SERVICES: Mapping[str, tuple[Any, type]] = {
    "autoscaling": (autoscaling_backends, AutoScalingResponse),
    "iam": (iam_backends, IamResponse),
    "kms": (kms_backends, KmsResponse),
    "servicequotas": (servicequotas_backends, LocalServiceQuotasResponse),
    "ssm": (ssm_backends, SimpleSystemManagerResponse),
    "sts": (sts_backends, TokenResponse),
}

#: backends with something of ours
_OURS: Mapping[str, type] = {
    "iam": LocalIAMBackend,
    "kms": LocalKMSBackend,
    "ssm": LocalSSMBackend,
}

_GLOBAL = ("iam", "sts")  # one for all regions of a partition


class _Refusal(Exception):
    """A request that does not reach moto."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message


class HeldResponse:
    """In front of a response of moto's; `service` is the name in signatures."""

    service: str
    body: Any
    boto3_service_name: str
    normalized_request: Any
    current_account: str
    region: str

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        request_id = str(uuid.uuid4())
        try:
            status, sent, body = super()._dispatch(request, full_url, headers)  # type: ignore[misc]
            return status, sent, "{}" if body == "null" else body  # what moto says of nothing
        except _Refusal as refusal:
            return self._error(400, refusal.code, refusal.message, request_id)
        except ServiceException as error:
            return self._error(400, error.code, error.message, request_id)
        except NotImplementedError:  # moto's, of an operation that it has only by name
            message = f"The local Nitro does not support {self._get_action()}."  # type: ignore[attr-defined]
            return self._error(400, "UnsupportedOperation", message, request_id)
        except Exception as error:
            _log.exception("request %s, %s", request_id, self.service)
            if faults.of_input(error):
                message = "A parameter is not what the operation expects."
                return self._error(400, self._code(1), message, request_id)
            return self._error(500, self._code(2), "An internal error has occurred", request_id)

    def parse_parameters(self, request: Any) -> None:
        self._operation()
        super().parse_parameters(request)  # type: ignore[misc]

    def call_action(self) -> Any:
        operation = self._operation()
        for problem in self._problems(operation):
            raise _Refusal(self._code(1), problem)
        backend = _backend(self.service, self.current_account, self.region)
        with backend.lock:
            backend.settle()
            try:
                return super().call_action()  # type: ignore[misc]
            finally:
                backend.keep()

    def serialized(self, action_result: Any) -> Any:
        """A list says whether it is whole: clients read that without looking whether it is there.

        moto gives whole lists where it says nothing.
        """
        shape, result = self._operation().output_shape, action_result.result
        if shape and "IsTruncated" in shape.members and isinstance(result, dict):
            result.setdefault("IsTruncated", False)
        return super().serialized(action_result)  # type: ignore[misc]

    def _operation(self) -> OperationModel:
        model = get_service_model(self.boto3_service_name)
        name = self._get_action()  # type: ignore[attr-defined]
        if name not in model.operation_names:
            raise _Refusal(self._code(0), f"There is no operation {name}.")
        operation: OperationModel = model.operation_model(name)
        return operation

    def _problems(self, operation: OperationModel) -> Iterator[str]:
        """Why the service, or the local Nitro, does not take the request."""
        given = self._parameters(operation)
        honoured = support.SERVICES.get(self.service)
        if honoured is not None:
            if operation.name not in honoured:
                raise _Refusal(
                    "UnsupportedOperation", f"The local Nitro does not support {operation.name}."
                )
            if names := support.ignored(honoured[operation.name], requests.paths(given)):
                what = f"{', '.join(names)} of {operation.name}"
                raise _Refusal("UnsupportedOperation", f"The local Nitro does not support {what}.")
        if operation.input_shape:
            report = ParamValidator().validate(given, operation.input_shape)
            if report.has_errors():
                yield report.generate_report()
            yield from constraints.violations(operation.input_shape, given)

    def _parameters(self, operation: OperationModel) -> dict[str, Any]:
        if forms.family(self.service) == "query":
            for name, value in self.normalized_request.values.items():
                if requests.UNPRINTABLE.search(name + value):
                    raise _Refusal(self._code(1), "A character is not allowed.")
            parser = PROTOCOL_PARSERS["query"](operation, map_type=dict)
            parsed: dict[str, Any] = parser.parse({"values": self.normalized_request.values})
            return parsed
        try:
            parsed = json.loads(self.body or "{}")
        except ValueError:
            parsed = {}
        if not isinstance(parsed, dict):
            raise _Refusal("SerializationException", "The body is not a JSON object.")
        return parsed

    def _code(self, which: int) -> str:
        return _CODES[forms.family(self.service)][which]

    def _error(self, status: int, code: str, message: str, request_id: str) -> Any:
        kind, body = forms.error(self.service, code, message, request_id)
        sent = {"content-type": kind, "x-amzn-requestid": request_id, "x-amzn-errortype": code}
        return status, {**sent, "status": status}, body


def held_backends(site: Site) -> Iterator[tuple[Any, type]]:
    """moto's backends of each service, and the class to make them of."""
    for service, (backends, response) in _SERVICES.items():
        base = _OURS.get(service, backends.backend)
        held = type(f"Held{response.__name__}", (HeldResponse, response), {"service": service})
        named = (each.__module__ for each in response.__mro__)
        moto_module = next(name for name in named if name.endswith(".responses"))
        urls = import_module(moto_module.replace("responses", "urls"))
        paths = dict.fromkeys(urls.url_paths, held.dispatch)  # type: ignore[attr-defined]
        yield (
            backends,
            _held(base, SimpleNamespace(url_bases=urls.url_bases, url_paths=paths), site),
        )


def _held(base: type, urls: Any, site: Site) -> type:
    class Held(base):  # type: ignore[misc]
        def __init__(self, region_name: str, account_id: str) -> None:
            super().__init__(region_name, account_id)
            self.lock, self.site = threading.RLock(), site
            if hasattr(self, "restore"):
                self.restore()

        def settle(self) -> None:
            if hasattr(super(), "settle"):
                super().settle()

        def keep(self) -> None:
            if hasattr(super(), "keep"):
                super().keep()

        @property
        def _url_module(self) -> Any:
            return urls

    return Held


def _backend(service: str, account_id: str, region_name: str) -> Any:
    backends, _ = _SERVICES[service]
    return backends[account_id][get_partition(region_name) if service in _GLOBAL else region_name]
