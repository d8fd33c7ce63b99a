"""aiogram's types, each built when it is first used.

On import aiogram has pydantic build every type there is, and each holds a copy of all it refers to: 100 MB and two
seconds of every process that imports it, for some dozens of types a bot ever meets
(https://github.com/aiogram/aiogram/issues/1513).
"""

from collections.abc import Callable
from threading import RLock
from typing import Any

from pydantic import BaseModel

_namespace: dict[str, Any] = {}
# Two threads may want a type at once, and model_rebuild is not made for that.
_building = RLock()
_build: Callable[..., bool | None] = BaseModel.model_rebuild.__func__  # type: ignore[attr-defined]


def build_when_used() -> None:
    """From now on leave aiogram's types as pydantic leaves any type it cannot build yet: to be built at first use."""
    BaseModel.model_rebuild = classmethod(_model_rebuild)  # type: ignore[assignment,method-assign]


def _model_rebuild(model: type[BaseModel], /, **options: Any) -> bool | None:
    """Who calls it: the end of aiogram/types/__init__.py, and pydantic's MockValSer at a type's first use."""
    if not model.__module__.startswith("aiogram."):
        # pydantic looks for names so many frames above, and this is one more.
        return _build(model, **options | {"_parent_namespace_depth": options.get("_parent_namespace_depth", 2) + 1})
    if "_types_namespace" in options:  # aiogram, at its import: what the types' names mean
        _namespace.update(options["_types_namespace"])
        return None
    with _building:
        return _build(model, **options, _types_namespace=_namespace)
