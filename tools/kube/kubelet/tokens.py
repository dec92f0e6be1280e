"""Service-account tokens of a pod, asked for with a TokenRequest and renewed before they expire."""

from __future__ import annotations

import asyncio

from tools.kube.api import Api, Thing

_RENEW_AT = 0.8
_DEFAULT_SECONDS = 3600


class Tokens:
    """Bound to the pod: they end with it."""

    def __init__(self, api: Api, pod: Thing) -> None:
        self._api = api
        self._pod = pod
        self._held: dict[tuple[str, int], tuple[str, float]] = {}

    async def get(self, wanted: Thing) -> str:
        """The token that a `serviceAccountToken` of a projected volume asks for. Raises as :meth:`Api.call` does."""
        seconds = int(wanted.get("expirationSeconds", _DEFAULT_SECONDS))
        audience = str(wanted.get("audience", ""))
        time = asyncio.get_running_loop().time()
        held = self._held.get((audience, seconds))
        if held is not None and time < held[1]:
            return held[0]
        metadata, spec = self._pod["metadata"], self._pod["spec"]
        reference = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        request: Thing = {"expirationSeconds": seconds, "boundObjectRef": reference}
        if audience:
            request["audiences"] = [audience]
        account = spec.get("serviceAccountName", "default")
        answer = await self._api.call(
            "POST",
            f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": request},
        )
        token = str(answer["status"]["token"])
        self._held[audience, seconds] = (token, time + seconds * _RENEW_AT)
        return token
