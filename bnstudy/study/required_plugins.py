"""The plugins of a study: which modules of the user's registered what it uses, with which code, which are lacking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bnstudy.study import plugin_modules, registry
from bnstudy.study.errors import InputError
from bnstudy.study.factors import REGISTRIES
from bnstudy.study.sources import NOTEBOOK, Origin
from bnstudy.study.study import Study

SEPARATOR = "; "


class LackingError(InputError):
    """A study uses entries of a plugin that is not loaded."""


def origins(study: Study) -> tuple[Origin, ...]:
    """What registered the entries that a study uses, by name; nothing of what comes with bnstudy."""
    entries = [registry.datasets[study.dataset]]
    for key, known in REGISTRIES.items():
        levels = [known.level(label) for label in getattr(study, key)]
        entries += [known[level.family] for level in levels]
        entries += [registry.activations[level.activation] for level in levels if level.activation]
    found = {entry.origin for entry in entries if entry.origin}
    return tuple(sorted(found, key=lambda origin: (origin.name, origin.digest)))


def digests(study: Study) -> str:
    """The plugins of a study and what their sources add up to, as ``my_inits 3fa9c1e2b07d; my_resnet 77ab0c11d2f4``."""
    return SEPARATOR.join(f"{origin.name} {origin.digest}" for origin in origins(study))


def needed(study: Study) -> list[str]:
    """The names of a study's plugins: of modules, of scripts (``script NAME.py``), or ``notebook``."""
    return list(dict.fromkeys(origin.name for origin in origins(study)))


def modules(study: Study) -> tuple[str, ...]:
    """What another process has to import to know all that a study uses."""
    return tuple(dict.fromkeys(origin.name for origin in origins(study) if origin.is_module))


def refuse_unsendable(study: Study, key: str, instead: str, *, scripts: bool = False) -> None:
    """InputError if processes of another kind cannot know what a study uses: of a notebook, or (if asked) a script."""
    for origin in origins(study):
        if not origin.is_module and (scripts or origin.name == NOTEBOOK):
            place = "a notebook" if origin.name == NOTEBOOK else f"the {origin.name}"
            raise InputError(
                f"workers do not know what {place} registered; put it into a module, import that, {instead}", key
            )


def study_of(values: Mapping[str, Any], needs: list[str]) -> Study:
    """A stored study that was made with the plugins `needs`.

    Raises
    ------
    LackingError
        One of them is not loaded, or no longer registers what the study uses.
    InputError, ValueError
        `values` are no study, or `needs` no names.
    """
    if not isinstance(needs, list):  # it is read from a file
        raise ValueError("its plugins are no list")
    for name in needs:
        if not re.fullmatch(r"script [A-Za-z0-9._-]+", name) and not all(p.isidentifier() for p in name.split(".")):
            raise ValueError(f"{name[:60]!r} is no name of a plugin")
    try:
        return Study.from_stored(values)
    except InputError as error:
        if not needs:
            raise
        raise LackingError(_lacking([n for n in needs if not registry.registered_by(n)], needs, error)) from None


def _lacking(missing: Sequence[str], needs: Sequence[str], error: InputError) -> str:
    """What to do about a study that cannot be read with the plugins that are loaded."""
    if not missing:
        return f"its plugin {' or '.join(needs)} no longer has what the study uses ({error})"
    for name in missing:
        if why := plugin_modules.why_broken(name):
            return f"its study needs the plugin {name}, which is installed and cannot be loaded ({why}); mend it"
    if strays := [name for name in missing if name == NOTEBOOK or " " in name]:
        place = "a notebook" if strays[0] == NOTEBOOK else f"the {strays[0]}"
        return (
            f"its study needs what {place} registered; open it from Python there, or move that into a module and name "
            "it with --plugin"
        )
    plural = "plugins" if len(missing) > 1 else "plugin"
    asked = " ".join(f"--plugin {name}" for name in missing)
    return f"its study needs the {plural} {' and '.join(missing)}; add {asked}"
