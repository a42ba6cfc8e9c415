"""The JSON schema of study files, for editors: ``make schema`` writes studies/study.schema.json.

It is made from the fields of ``Study``. What a key may also be written as (text with commas, a single value, a count of
seeds) is added here, since pydantic does not say it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bnstudy.cli.options import SCALES, STUDY_FLAGS, STUDY_OPTIONS
from bnstudy.study.factors import FACTORS
from bnstudy.study.registry import datasets
from bnstudy.study.study import Study

FILE = Path(__file__).resolve().parent.parent.parent / "studies" / "study.schema.json"
NOT_OPTIONS = {
    "name": "What the study's folder is called: letters, digits, dots, hyphens and underscores.",
    "title": "Its title, in figures and pages.",
    "question": "What it asks, in words.",
    "predictions": "What is expected: texts, or tables with a text and what would confirm it.",
    "roles": "Which levels of the condition are good, and which are bad: `{ zero = 'poor' }`.",
    "equivalence_epochs": "Epochs within which means count as equal, where the report's claims are judged.",
    "equivalence_accuracy": "Accuracy within which means count as equal, there too.",
}
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def described() -> dict[str, str]:
    """What each key of a study file is."""
    options = {key: about[2] for key, about in {**STUDY_OPTIONS, "scales": SCALES}.items()}
    told = {**NOT_OPTIONS, **options, **STUDY_FLAGS}
    return {key: told[key] for key in (*Study.model_fields, "scales")}


def study_schema() -> dict[str, Any]:
    """The schema, JSON Schema 2020-12."""
    made = _standard(Study.model_json_schema())
    keys = made["properties"]
    for key in [key for key, about in keys.items() if about.get("type") == "array" and key != "predictions"]:
        keys[key] = _listed(keys[key])
    several, _, text = keys["seeds"]["anyOf"]
    keys["seeds"]["anyOf"] = [{"type": "integer", "minimum": 1, "maximum": 1_000_000}, several, text]
    keys["scales"] = _listed({"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}})
    keys["hidden"], keys["channels"] = (_listed({"type": "array", "items": _width()}) for _ in range(2))
    expectation, prediction = (made["$defs"][name]["properties"] for name in ("Expectation", "Prediction"))
    for about, key in ((expectation, "condition"), (expectation, "verdict"), (prediction, "expect")):
        about[key] = {"anyOf": [about[key], about[key]["items"]]}
    for key in ("treatment", "condition"):
        keys[key]["enum"] = [factor.name for factor in FACTORS]
    for key in ("control", "reference"):
        keys[key] = {"type": ["string", "number"]}
    for factor in FACTORS:
        if factor.registry is not None:
            keys[factor.key]["examples"] = [[name] for name in factor.registry]
    keys["dataset"]["examples"] = list(datasets)
    for key, text in described().items():
        keys[key]["description"] = text
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study file of bnstudy",
        **{key: value for key, value in made.items() if key not in ("title", "description")},
    }


def _standard(part: Any) -> Any:
    """A part of pydantic's schema with bounds as the standard names them; no titles, no defaults that are no use."""
    if isinstance(part, list):
        return [_standard(one) for one in part]
    if not isinstance(part, dict):
        return part
    plain = {BOUNDS.get(key, key): _standard(value) for key, value in part.items() if not _is_title(key, value)}
    if plain.get("type") in ("number", "integer"):  # a number may be written as text
        bounds = {key: plain.pop(key) for key in list(plain) if key not in ("default", "description")}
        plain["anyOf"] = [bounds, {"type": "string", "pattern": r"^\s*[-+]?[0-9.]"}]
    if "description" in plain and isinstance(plain["description"], str):
        plain["description"] = plain["description"].split("\n")[0]
    return plain


def _is_title(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str)


def _listed(about: dict[str, Any]) -> dict[str, Any]:
    """A list that may also be one value, or text with commas."""
    items = {**about["items"]}
    default = {"default": about["default"]} if "default" in about else {}
    several = {"type": "array", "items": items} | ({} if about.get("default") == [] else {"minItems": 1})
    return {**default, "anyOf": [several, *([] if items.get("type") == "string" else [items]), {"type": "string"}]}


def _width() -> dict[str, Any]:
    return {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+(x\d+)?(-\d+(x\d+)?)*$"}]}


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{FILE.name} written\n")
