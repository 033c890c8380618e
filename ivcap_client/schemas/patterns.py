"""Regular expressions of services: matched in linear time, and published only where every client can read them.

Python's own engine can be made to run for ever by a pattern of twenty characters; pydantic-core carries Rust's, which
cannot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

MOST_PATTERN: Final = 2_000
"""Longest pattern that is checked, in characters."""
_MOST_PUBLISHED: Final = 200

# What ECMAScript with the `u` flag and Rust read alike: no look-around, back references, named groups, inline flags.
_PORTABLE: Final = re.compile(
    r"""(?: [^\\\[\](){}?*+|^$]                                 # a plain character
          | (?: [\^$] | \\[bB] ) (?![?*+{])                      # a place: cannot be repeated
          | \\[dDwWsSnrt\\/.^$|?*+()\[\]{}]                      # an escape both know
          | \[\^? (?: [^\\\[\]&~-] | -(?![-\[]) | &(?!&) | ~(?!~) | \\[dDwWsSnrt\\/.^$|?*+()\[\]{}-] )+ \]
          | (?: \( (?:\?:)? | \| ) (?![?*+{]) | \)
          | (?: [?*+] | \{\d{1,3}(?:,\d{0,3})?\} ) \?? (?![?*+{])
        )*""",
    re.VERBOSE,
)


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """Return a function that says whether a text has a match of `pattern` anywhere.

    Returns:
        `None` where the pattern is too long, too large when compiled, or needs what a linear-time engine cannot do.
    """
    if len(pattern) > MOST_PATTERN:
        return None
    try:
        pattern.encode()
        engine = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except (SchemaError, UnicodeEncodeError):
        return None

    def matches(text: str) -> bool:
        try:
            engine.validate_python(text, strict=True)
        except ValidationError as error:
            # A lone surrogate cannot be handed to the engine: that is no statement about the pattern.
            return all(each["type"] != "string_pattern_mismatch" for each in error.errors(include_input=False))
        return True

    return matches


def is_portable(pattern: str) -> bool:
    """Say whether a pattern is short and means the same to every engine a client may use."""
    return len(pattern) <= _MOST_PUBLISHED and _PORTABLE.fullmatch(pattern) is not None and matcher(pattern) is not None
