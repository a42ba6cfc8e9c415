"""Every public name is documented in numpydoc's form, with an example that is run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os

import pytest
from bnstudy.study import registry

DOCUMENTED = ("bnstudy", "bnstudy.plugins")
NAMES = [(module, name) for module in DOCUMENTED for name in importlib.import_module(module).__all__]


def documented(module: str, name: str):
    """The thing and its docstring."""
    thing = getattr(importlib.import_module(module), name)
    return thing, inspect.getdoc(thing) or ""


def sections(text: str) -> dict[str, list[str]]:
    """Numpydoc's sections of a docstring, and the names that each lists."""
    found: dict[str, list[str]] = {}
    lines, section = inspect.cleandoc(text).splitlines(), ""
    for line, under in zip(lines, [*lines[1:], ""], strict=True):
        if under and set(under) == {"-"} and len(under) >= len(line) - 1:
            section = line
            found[section] = []
        elif section and line and not line.startswith((" ", "-")):
            found[section] += [name.strip().lstrip("*") for name in line.partition(" : ")[0].split(",")]
    return found


@pytest.fixture
def forget():
    """What examples register is gone after them."""
    [*map(len, registry._ALL)]  # entries that come with bnstudy are there before
    before = [(kind, dict(kind._entries)) for kind in registry._ALL]
    yield
    for kind, entries in before:
        kind._entries.clear()
        kind._entries.update(entries)


@pytest.mark.parametrize(("module", "name"), NAMES)
@pytest.mark.usefixtures("forget")
def test_its_example_is_run(tmp_path, monkeypatch, module, name):
    monkeypatch.chdir(tmp_path)
    thing, text = documented(module, name)
    if isinstance(thing, str):  # such as a version
        return
    examples = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, f"{module}.{name}", None, 0)
    assert examples.examples, "no example"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=told.append)
    assert not told, "".join(told)
    assert set(os.listdir()) <= {"results", "mine.npz", "pictures", "figures", "tables"}


def routines():
    """Every public function, and every public method of public classes, with its qualified name."""
    for module, name in NAMES:
        thing, _ = documented(module, name)
        if inspect.isroutine(thing):
            yield pytest.param(thing, id=f"{module}.{name}")
        for method, function in vars(thing).items() if inspect.isclass(thing) else ():
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function) and not method.startswith("_"):
                yield pytest.param(function, id=f"{module}.{name}.{method}")


@pytest.mark.parametrize("function", [*routines()])
def test_parameters_and_what_comes_back_are_told(function):
    said = sections(function.__doc__ or "")
    signature = inspect.signature(function)
    parameters = [name for name in signature.parameters if name not in ("self", "cls")]
    assert sorted(said.get("Parameters", [])) == sorted(parameters)
    if signature.return_annotation not in ("None", inspect.Signature.empty):
        assert {"Returns", "Yields"} & set(said)
