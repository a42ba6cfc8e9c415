"""Every verdict is explained, every topic that a message names is there, and every page exists."""

from __future__ import annotations

import re

from bnstudy.analysis.glossary import GLOSSARY, NAMES, TOPIC, WORD
from bnstudy.analysis.verdict import WORDS
from bnstudy.cli import options
from bnstudy.study import registry

from tests.conftest import ROOT


def test_the_words_are_those_of_the_verdict():
    assert {one.name for one in GLOSSARY.values() if one.kind == WORD} == set(WORDS)


def test_no_name_means_two_things():
    names = [name for one in GLOSSARY.values() for name in (one.name, *one.also)]
    assert len(names) == len(set(names)) == len(NAMES)


def test_every_page_is_there():
    titles = [path.read_text().partition("\n")[0] for path in (ROOT / "docs").glob("[eht]*/*.md")]
    for one in GLOSSARY.values():
        assert titles.count(f"# {one.page}") == 1, one


def test_every_topic_that_a_message_names_is_explained():
    texts = [path.read_text() for path in (ROOT / "bnstudy").rglob("*.py")]
    named = {topic for text in texts for topic in re.findall(r'(?:TOPIC = |topic=)"([a-z-]+)"', text)}
    named |= {*options.TOPICS.values(), *registry.TOPICS.values()}
    assert len(named) > 3
    assert named <= set(GLOSSARY)
    assert {one.name for one in GLOSSARY.values() if one.kind == TOPIC} <= named | {"judge", "completions"}
