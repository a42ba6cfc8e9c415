"""Predictions: what is expected, in words, and where it can be checked as a verdict or a sign."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

Word = Literal["mainly", "more", "alike", "less", "none", "harms", "unclear"]
Sign = Literal["gain", "loss", "none", ""]


def _several(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


class Expectation(BaseModel):
    """What is to be found of some comparisons.

    Attributes
    ----------
    model, setting, treatment : str
        Of which comparisons; of all where it is not said.
    condition : tuple of str
        At which levels of the condition.
    verdict : tuple of str
        Any of these words.
    sign : str
        ``gain`` or ``loss`` where the interval of the median gain lies on one side of 0; ``none`` where it is shown to
        be smaller than the margin.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    setting: str = ""
    treatment: str = ""
    condition: Annotated[tuple[str, ...], BeforeValidator(_several)]
    verdict: Annotated[tuple[Word, ...], BeforeValidator(_several)] = ()
    sign: Sign = ""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Expectation:
        if bool(self.verdict) == bool(self.sign):
            raise ValueError("an expectation has either a verdict, such as mainly, or a sign: gain, loss or none")
        if not self.condition:
            raise ValueError("an expectation names the levels of the condition that it is about")
        return self

    @property
    def text(self) -> str:
        """What is expected, in a word or two."""
        return " or ".join(self.verdict) if self.verdict else self.sign

    @property
    def whole(self) -> str:
        """Of which comparisons what is expected: ``mlp: mainly at scaled-normal:10, zero``."""
        of = ", ".join(filter(None, (self.model, self.setting, self.treatment)))
        return f"{of}{': ' * bool(of)}{self.text} at {', '.join(self.condition)}"


class Prediction(BaseModel):
    """A prediction in words, with what would confirm it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    expect: Annotated[tuple[Expectation, ...], BeforeValidator(_several)] = ()


def read(value: Any) -> Any:
    """Predictions as they are written: texts, or tables with a ``text`` and an ``expect``; ValueError if one is not."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of texts, or of tables such as {text = ..., expect = {...}}")
    return tuple(_read(told) for told in value)


def _read(told: Any) -> str | Prediction:
    if isinstance(told, (str, Prediction)):
        return told
    try:
        return Prediction.model_validate(told)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
        cause = problem.get("ctx", {}).get("error")
        if problem["type"] == "extra_forbidden":
            inside, _, key = where.rpartition(".")
            known = ", ".join((Expectation if inside else Prediction).model_fields)
            raise ValueError(f"{inside or 'one'} has no key {key[:60]!r}; there are {known}") from None
        raise ValueError(
            f"one is not a text or a table with text and expect ({where + ': ' if where else ''}"
            f"{cause or problem['msg'].lower()})"
        ) from None


Predictions = Annotated[tuple[str | Prediction, ...], BeforeValidator(read)]


def text_of(prediction: str | Prediction) -> str:
    """What is predicted, in words, and what would confirm it."""
    if isinstance(prediction, str):
        return prediction
    checked = "; ".join(one.whole for one in prediction.expect)
    return f"{prediction.text} (to be checked: {checked})" if checked else prediction.text
