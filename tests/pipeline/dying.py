"""A process that is killed at one of its writes to the store."""

from typing import Any

from mlflow import MlflowClient


class KilledError(BaseException):
    """The process ends here."""


class Dying:
    """A client that dies at one of its writing calls, before or after it is carried out."""

    def __init__(self, client: MlflowClient, at_call: int, *, after: bool) -> None:
        self._client, self._left, self._after = client, at_call, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name.startswith(("get_", "search_")):
            return call

        def dying(*given: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise KilledError
            result = call(*given, **named)
            if self._left == 0:
                raise KilledError
            return result

        return dying
