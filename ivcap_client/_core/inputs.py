"""What a caller may give as a job's request, and the JSON that is sent for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

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
    if callable(getattr(data, "model_dump", None)):
        return encoded(_dumped(data, what), what)
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


def _dumped(model: Any, what: str) -> Any:
    """What is sent of a model: of one made from a schema just what was set, of a program's own its defaults too.

    Fields that nobody set and whose default is none are left out: a service that does not know null would refuse it.
    """
    from ivcap_client.schema import RequestModel, RequestRoot, complaints

    ours = isinstance(model, RequestModel | RequestRoot)
    if ours:
        wrong = complaints(model)
        if wrong:
            raise InvalidInput(
                f"could not {what}: the request does not fit its schema any more: {'; '.join(wrong[:5])}"
            )
    try:
        given = model.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
        return given if ours else _filled(model.model_dump(mode="json", by_alias=True), given)
    except ValueError as error:
        raise InvalidInput(f"could not {what}: the model cannot be written as JSON ({error})") from None


def _filled(whole: Any, given: Any) -> Any:
    """All of a value but the nulls that are not in `given`, at any depth."""
    if isinstance(whole, dict) and isinstance(given, dict):
        return {
            name: _filled(value, given[name]) if name in given else value
            for name, value in whole.items()
            if name in given or value is not None
        }
    if isinstance(whole, list) and isinstance(given, list) and len(whole) == len(given):
        return [_filled(value, other) for value, other in zip(whole, given, strict=True)]
    return whole
