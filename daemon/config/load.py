"""Read the configuration file and either return it whole or name all that is wrong with it.

Problems read `mailboxes[1].host: missing`: the path of the key, then plain words. What pydantic
says is turned into those words here, in one table; a secret that stands in the file itself never
appears in one.
"""

import difflib
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from daemon.config.document import read_document
from daemon.config.keys import Config
from daemon.config.secret import Secret
from daemon.errors import ConfigProblem

_WORDS = {
    "missing": "missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "invalid_key": "isn't text: put it in quotes",
}


def load(path: Path) -> Config:
    """Read and check the configuration.

    Raises ConfigProblem with all its `problems` at once.
    """
    path = path.absolute()
    document, repeated = read_document(path)
    problems = [*repeated, *_same_names(document)]
    try:
        config = Config.model_validate(document, context={"directory": path.parent})
    except ValidationError as error:
        problems += [_in_words(one) for one in error.errors(include_url=False)]
        raise ConfigProblem(what=str(path), problems=tuple(problems)) from None
    if problems:
        raise ConfigProblem(what=str(path), problems=tuple(problems))
    return config.with_warnings(tuple(_warnings(path, config)))


def _same_names(document: Any) -> Iterator[str]:
    # Looked for in the document: a model whose other keys fail is never built.
    mailboxes = document.get("mailboxes") if isinstance(document, dict) else None
    boxes = mailboxes if isinstance(mailboxes, list) else ()
    names = [box.get("name") for box in boxes if isinstance(box, dict)]
    counts = Counter(name.strip() for name in names if isinstance(name, str))
    for name, count in counts.items():
        if count > 1:
            yield f"mailboxes: {count} of them are named {name}"


def _warnings(path: Path, config: Config) -> Iterator[str]:
    if not path.stat().st_mode & stat.S_IROTH:
        return
    for key, secret in secrets_of(config):
        if secret.kind == "literal":
            yield f"{key}: a secret in a file that everyone can read: chmod o-r {path}"


def secrets_of(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Secret]]:
    """(path of its key, secret) for each one in a section and in those below it."""
    for key, value in section:
        for place, one in _each(prefix + key, value):
            if isinstance(one, Secret):
                yield place, one
            elif isinstance(one, BaseModel):
                yield from secrets_of(one, f"{place}.")


def _each(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from ((f"{place}.{name}", one) for name, one in value.items())
        return
    if not isinstance(value, tuple):
        yield place, value
        return
    for index, one in enumerate(value):
        yield f"{place}[{index}]", one


def _in_words(error: ErrorDetails) -> str:
    place = _place(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return f"{place}: {context['error']}"
    if kind == "extra_forbidden":
        return f"{place}: unknown key{_did_you_mean(error['loc'])}"
    if kind == "literal_error":
        return f"{place}: must be one of {context['expected'].replace(chr(39), '')}"
    if kind in {"greater_than_equal", "greater_than"}:
        bound = context.get("ge", context.get("gt"))
        return f"{place}: must be {'at least' if 'ge' in context else 'more than'} {bound:g}"
    if kind == "less_than_equal":
        return f"{place}: must be at most {context['le']:g}"
    return f"{place}: {_WORDS.get(kind) or error['msg'].lower()}"


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for step in location:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return place.removeprefix(".") or "the file"


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    section = _section(location[:-1])
    key = str(location[-1])
    near = difflib.get_close_matches(key, section.model_fields, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    elsewhere = [place for place, keys in _sections(Config, "") if key in keys.model_fields]
    return f" (it belongs under {elsewhere[0]})" if elsewhere and elsewhere[0] else ""


def _section(location: tuple[int | str, ...]) -> type[BaseModel]:
    section: type[BaseModel] = Config
    for step in location:
        # A step that is no key is a place in a list, or the name of a login.
        if isinstance(step, str) and step in section.model_fields:
            section = _model(section.model_fields[step].annotation) or section
    return section


def _sections(section: type[BaseModel], place: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield place, section
    for key, field in section.model_fields.items():
        inner = _model(field.annotation)
        if inner is not None:
            yield from _sections(inner, f"{place}.{key}".removeprefix("."))


def _model(annotation: Any) -> type[BaseModel] | None:
    # The section inside `tuple[Section, ...]` or `Section | None`.
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model(part))), None)
