"""What a caller may give as a job's request, and the JSON that is sent for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from ivcap_client._core.wire import encoded
from ivcap_client.exception import InvalidInput


def request_body(data: object) -> bytes:
    """A job's request as JSON: from a model, a dataclass, a mapping or a JSON stream.

    Raises:
        InvalidInput: It is none of these, or not an object that JSON can write.
    """
    what = "order job"
    if isinstance(data, type):
        raise InvalidInput(f"could not {what}: the class {data.__name__} was given, an instance of it is wanted")
    dump = getattr(data, "model_dump_json", None)
    if callable(dump):
        try:
            text: str = dump(by_alias=True, exclude_unset=True)
        except ValueError as error:
            raise InvalidInput(f"could not {what}: the model cannot be written as JSON ({error})") from None
        return text.encode()
    if callable(getattr(data, "read", None)):
        try:
            data = json.loads(data.read())  # type: ignore[attr-defined]
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(f"could not {what}: the stream does not hold JSON ({error})") from None
    elif dataclasses.is_dataclass(data) and not isinstance(data, type):
        data = dataclasses.asdict(data)
    if not isinstance(data, (Mapping, list, int, float)):
        raise InvalidInput(
            f"could not {what}: the request is a model, a dataclass, a dict or a JSON stream, "
            f"{type(data).__name__} was given"
        )
    return encoded(dict(data) if isinstance(data, Mapping) else data, what)
