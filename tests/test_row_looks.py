"""Files that are looked at first: parsers of their kind read them, and no question says how they name things."""

import configparser
import csv
import json
import re
import tomllib
from random import Random

import pytest

from punie_cli.rows.look_settings import make_store
from punie_cli.rows.look_tables import make_table
from punie_cli.rows.looks import looks
from punie_cli.rows.projects import LOOKING, VALUES, make_project


def words(name: str) -> set[str]:
    return set(re.findall("[a-z]+", re.sub("([A-Z])", r" \1", name).lower()))


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_tables_are_tables_and_questions_do_not_say_their_columns(start: int) -> None:
    for seed in range(start, start + 100):
        table = make_table(Random(seed))
        text = table.text
        read = json.loads(text) if table.path.endswith(".json") else list(csv.DictReader(text.splitlines()))
        assert [[str(row[name]) for name in table.header] for row in read] == table.rows
        for column in table.columns:
            for ask in column.asks:
                assert words(column.header) - words(ask.replace("{x}", "")), ask


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_settings_are_what_their_parsers_read_and_nouns_do_not_say_their_keys(start: int) -> None:
    for seed in range(start, start + 100):
        store = make_store(Random(seed))
        for key in store.keys:
            if store.form == "ini":
                parser = configparser.ConfigParser()
                parser.read_string(store.text)
                assert parser[key.section][key.name] == key.literal("ini", key.value)
            else:
                data = json.loads(store.text) if store.form == "json" else tomllib.loads(store.text)
                for part in key.section.split("."):
                    data = data[part]
                assert data[key.name] == key.value != key.spare
            for wording in (*key.nouns, *key.asks):
                assert words(key.name) - words(wording), wording


def test_only_projects_of_one_range_have_the_files() -> None:
    for seed in range(20):
        project = make_project(LOOKING + seed)
        assert looks(project).files.items() <= project.files.items()
        assert make_project(LOOKING + seed).files == project.files
        assert looks(make_project(VALUES + seed)).log.path not in make_project(VALUES + seed).files
