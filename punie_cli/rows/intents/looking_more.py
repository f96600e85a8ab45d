"""Settings, notes and logs whose words nobody told: look first, then answer, or change what was printed."""

import json
import re
from random import Random

from punie_cli.agent.messages import Message, answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, intent, listed, quoted, say
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.looking import ASKED, look
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.look_settings import Key, Store, make_store
from punie_cli.rows.looks import looks
from punie_cli.rows.project import Project

_CLAUSE = ("what", "who", "whose", "how", "when", "where")
_SWITCH_WORDS = {True: ("on", "enable", "activate"), False: ("off", "disable", "deactivate")}


def _say(rng: Voice, forms: str | Forms, **slots: object) -> Message:
    """A question in which no article stands before another, or before a clause."""
    text = terse(rng, forms, **slots).text
    return user(re.sub(rf"\b([Tt]he )(?=(?:the|{'|'.join(_CLAUSE)}) )", "", text))


def _key(store: Store, rng: Random, switch: bool | None) -> Key:
    """A key that is, or is not, a switch; any for None."""
    return rng.choice([key for key in store.keys if switch is None or isinstance(key.value, bool) == switch])


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name(key: Key) -> str:
    return f"{key.section}.{key.name}"


def _fact(key: Key) -> str:
    return f"{key.section}.{key.name} is {_shown(key.value)}"


def change(store: Store, key: Key, new: object) -> Message:
    """The program that sets a value: JSON through json, other files by the exact line, which is there once."""
    if store.form == "json":
        place = "".join(f'["{part}"]' for part in (*key.section.split("."), key.name))
        return program(
            f'data = json.loads(read_file("{store.path}"))\n'
            f"data{place} = {new if isinstance(new, bool) else json.dumps(new)}\n"
            f'print(write_file("{store.path}", json.dumps(data, indent=2) + "\\n"))'
        )
    before, after = store.line(key, key.value), store.line(key, new)
    if store.text.count(before) != 1:
        raise Unsuitable
    return program(
        f'text = read_file("{store.path}").replace({quoted(before)}, {quoted(after)})\n'
        f'print(write_file("{store.path}", text))'
    )


def _changed(result: Message, store: Store, key: Key, new: object) -> str:
    if refused(result):
        return f"The change to {store.path} was refused, so nothing was written."
    return f"{key.section}.{key.name} in {store.path} is {_shown(new)} now; it was {_shown(key.value)}."


@intent("look", 2.5)
def look_setting(project: Project, rng: Voice) -> Script:
    store = looks(project).store
    key = _key(store, rng, None)
    other = _key(make_store(Random(rng.random())), rng, None)
    if rng.random() < 0.07 and other.section not in [key.section for key in store.keys]:
        yield _say(rng, ASKED, q=rng.choice(other.asks), path=store.path)
        yield look(store.path)
        yield answer(f"{store.path} says nothing about that. It has {listed([_name(key) for key in store.keys])}.")
        return
    asked = rng.choice(key.asks)
    if not isinstance(key.value, bool) and rng.random() < 0.4:
        asked = f"what is the {rng.choice(key.nouns)}"
    yield _say(rng, ASKED, q=asked, path=store.path)
    yield look(store.path)
    yes = "" if not isinstance(key.value, bool) else "Yes, " if key.value else "No, "
    yield answer(f"{yes}{_fact(key)} in {store.path}.")


@intent("look", 1.4)
def look_settings(project: Project, rng: Voice) -> Script:
    """Two values anywhere, or all of one section."""
    store = looks(project).store
    if rng.random() < 0.5:
        keys = [key for key in store.keys if not isinstance(key.value, bool)]
        keys = rng.sample(keys, 2)
        forms = """
            {one} and {two}, {path}
            {path}: {one} and {two}
            {path}, {one}? {two}?
            {one}? and {two}? see {path}
            the {one} and the {two}, both in {path}
            what are the {one} and the {two} in {path}
            (tell|give) me the {one} and the {two} from {path}
            I need two values of {path}: {one}, {two}
            (read|open) {path}: what is set for {one} and for {two}
            how are {one} and {two} set, {path}
            two things from {path}: the {one}, the {two}
            for the wiki: {one} plus {two} as {path} has them
            could you look up {one} and {two} in {path}
            {path} has the {one} and the {two}. which are they
            please quote {one} and {two}, file {path}
            """
        slots = {"one": rng.choice(keys[0].nouns), "two": rng.choice(keys[1].nouns)}
    else:
        section = rng.choice(sorted({key.section for key in store.keys}))
        keys = [key for key in store.keys if key.section == section]
        forms = """
            everything about {place}, {path}
            {path}: all about {place}
            {path}, what is set for {place}
            what do we have set for {place} in {path}
            which settings concern {place}, see {path}
            how is {place} configured in {path}
            (list|show|name) what {path} says on {place}
            all values for {place} out of {path}
            I need all we set about {place}. it's {path}
            (read|open) {path} and tell me all about {place}
            only the part on {place} from {path}, with values
            what can I tune about {place} in {path}, and how is it now
            can you sum up the part about {place} in {path}
            I only care about {place}: what does {path} hold
            before I change {place}: what does {path} say on it now
            """
        slots = {"place": keys[0].place}
    yield _say(rng, forms, path=store.path, **slots)
    yield look(store.path)
    yield answer(f"In {store.path}, {listed([_fact(key) for key in keys])}.")


_SET = Forms(
    "look-set",
    """
    {noun}: {new} in {path}
    {noun} to {new}, {path}
    {path}: {noun} {new}
    {path}, {noun} should be {new}
    set the {noun} to {new} in {path}
    change the {noun} to {new}, it is in {path}
    in {path} make the {noun} {new}
    (put|bring|move) the {noun} to {new}. file: {path}
    we want {new} as {noun}, see {path}
    the {noun} is {new} from today on, update {path}
    from now on {new} is the {noun}. {path}
    {new} instead of the old {noun}, {path}
    I'd like the {noun} at {new}, that is in {path}
    {path} still has the old {noun}, it is {new} now
    could you adjust the {noun} in {path} to {new}
    the boss wants {new} for the {noun}; {path} please
    edit {path}: the {noun} becomes {new}
    use {new} for the {noun} in {path}
    as agreed: {noun} = {new}, in {path}
    fix the {noun} in {path}, it has to be {new}
    I measured again, the {noun} must be {new}. change {path}
    """,
)


@intent("look", 3, alone=True)
def look_set(project: Project, rng: Voice) -> Script:
    store = looks(project).store
    key = _key(store, rng, False)
    yield _say(rng, _SET, noun=rng.choice(key.nouns), new=key.spare, path=store.path)
    yield look(store.path)
    result = yield change(store, key, key.spare)
    yield answer(_changed(result, store, key, key.spare))


@intent("look", 1.5, alone=True)
def look_raise(project: Project, rng: Voice) -> Script:
    """The new value follows from the one that was printed."""
    store = looks(project).store
    key = _key(store, rng, False)
    if not isinstance(key.value, int) or key.value < 4:
        raise Unsuitable
    by = rng.choice([1, 2, 3, 5, 10, 20, 50, rng.randint(2, 40)])
    roll = rng.random()
    new, way = (key.value + by, f"up by {by}") if roll < 0.5 or by >= key.value else (key.value - by, f"down by {by}")
    if roll > 0.8:
        new, way = (
            (key.value * 2, "to twice of what it is") if rng.random() < 0.6 else (key.value * 3, "to three times")
        )
    yield _say(
        rng,
        """
        {noun} {way}, {path}
        {path}: {noun} {way}
        {path}, {noun} {way} please
        bring the {noun} {way} in {path}
        (move|put|take) the {noun} {way}. file: {path}
        the {noun} has to go {way}, see {path}
        the {noun} goes {way}, {path}
        in {path}, {noun} {way}
        I want the {noun} {way}, it's in {path}
        can you get the {noun} {way} in {path}
        whatever it is now, the {noun} goes {way} in {path}
        I don't know the present value, but the {noun} must go {way}. {path}
        we agreed: {noun} {way}. that's {path}
        edit {path}: {noun} {way}
        for summer the {noun} goes {way}, in {path}
        change the {noun} in {path}, {way}
        {noun} is not right, {way} with it. {path}
        """,
        noun=rng.choice(key.nouns),
        way=way,
        path=store.path,
    )
    yield look(store.path)
    result = yield change(store, key, new)
    yield answer(_changed(result, store, key, new))


@intent("look", 2, alone=True)
def look_switch(project: Project, rng: Voice) -> Script:
    """One in six is set so already: then nothing is written."""
    store = looks(project).store
    key = _key(store, rng, True)
    on = bool(key.spare) if rng.random() < 0.85 else bool(key.value)
    way, able, other = _SWITCH_WORDS[on]
    yield _say(
        rng,
        """
        {noun} {way}, {path}
        {path}: {noun} {way}
        {path}, {able} {noun}
        {able} {noun} in {path}
        {other} {noun}, it is in {path}
        (turn|switch) {way} {noun} in {path}
        (turn|switch) {noun} {way}, file {path}
        in {path} (turn|switch) {way} {noun}
        I want {noun} {way}, see {path}
        we decided: {noun} {way}. {path} please
        {noun} should be {way} from now on, {path}
        can you {able} {noun}? that's in {path}
        people complained, so {able} {noun} in {path}
        {noun} must be {way} by tonight. {path}
        edit {path} so that {noun} is {way}
        make sure that {noun} is {way} in {path}
        {path} needs {noun} {way}
        time to {able} {noun}, look in {path}
        for the test I need {noun} {way} in {path}
        """,
        noun=rng.choice(key.nouns),
        way=way,
        able=able,
        other=other,
        path=store.path,
    )
    yield look(store.path)
    if on == key.value:
        yield answer(f"Nothing to change: {_fact(key)} in {store.path} already.")
        return
    result = yield change(store, key, on)
    yield answer(_changed(result, store, key, on))


@intent("look", 1.6, alone=True)
def look_carry(project: Project, rng: Voice) -> Script:
    """What one file says goes into another: the key there is named, the one here is not."""
    store = looks(project).store
    key, there = _key(store, rng, False), project.config_file
    name = rng.choice([names.word(rng), f"{names.word(rng)}_{names.word(rng)}", *sorted(project.config)])
    # A clause in the place of a noun would be hard to read here.
    nouns = [noun for noun in key.nouns if noun.split()[0] not in _CLAUSE]
    if not nouns or there in (store.path, looks(project).table.path) or project.config.get(name) == key.value:
        raise Unsuitable
    yield _say(
        rng,
        """
        {noun} of {path} into {there} as {name}
        {path}: the {noun} also belongs into {there}, key {name}
        put the {noun} from {path} into {there} as {name}
        copy the {noun} in {path} to {name} of {there}
        take the {noun} out of {path} and set {name} in {there} to it
        {there} needs {name} = the {noun} from {path}
        {name} in {there} should be the {noun} that {path} has
        set {name} in {there} to the {noun} from {path}
        carry the {noun} over from {path} to {there}, under {name}
        {there}: {name} must agree with the {noun} in {path}
        use the {noun} from {path} as {name} in {there}
        let {name} of {there} be what {path} has as {noun}
        can you (write|put) the {noun} ({path} has it) into {there} as {name}
        I want the same {noun} as in {path} for {name}, file {there}
        look up the {noun} in {path}, then write it to {name} in {there}
        sync {there} with {path}: {name} is the {noun}
        """,
        noun=rng.choice(nouns),
        there=there,
        name=name,
        path=store.path,
    )
    yield program(f'print(read_file("{store.path}"))\nprint(read_file("{there}"))')
    result = yield program(
        f'data = json.loads(read_file("{there}"))\ndata["{name}"] = {json.dumps(key.value)}\n'
        f'print(write_file("{there}", json.dumps(data, indent=2) + "\\n"))'
    )
    if refused(result):
        yield answer(f"The change to {there} was refused. In {store.path}, {_fact(key)}.")
    else:
        yield answer(f"{name} in {there} is {key.value} now, as {key.section}.{key.name} in {store.path}.")


@intent("look", 2.2, alone=True)
def look_then_set(project: Project, rng: Voice) -> Script:
    """First asked for, then changed with `that`: the file was printed already."""
    store = looks(project).store
    key = _key(store, rng, None)
    yield _say(rng, ASKED, q=rng.choice(key.asks), path=store.path)
    yield look(store.path)
    yes = "" if not isinstance(key.value, bool) else "Yes, " if key.value else "No, "
    yield answer(f"{yes}{_fact(key)} in {store.path}.")
    if isinstance(key.spare, bool):
        forms = """
            (turn|switch) (that|it) {way}
            {able} (that|it) (then|please|)
            {way} with it
            I want that {way}
            (that|it) should be {way}
            (ok|right|hm), (turn|switch) it {way}
            can you (turn|switch) that {way}
            we need it {way}
            make that {way}
            it has to be {way}
            then {able} it
            flip that
            flip it please
            change that to {way}
            no good, {able} it
            """
    else:
        forms = """
            (make|set) (that|it) {new}
            change (that|it) to {new}
            (that|it) should be {new}
            {new} (please|instead|then)
            (ok|hm|right), (make|set) it {new}
            can you (make that|set that to) {new}
            I want {new} there
            we need {new}
            put {new} there (instead|)
            that is wrong, it must be {new}
            it has to be {new}
            let's have {new}
            from now on it is {new}
            then set that to {new}
            use {new} for that
            wrong, {new} it is
            replace that with {new}
            """
    way, able, _ = _SWITCH_WORDS[bool(key.spare)]
    text = say(rng, forms, new=key.spare, way=way, able=able)
    yield user(text[0].upper() + text[1:] if rng.random() < 0.35 and text[0] != str(key.spare)[0] else text)
    result = yield change(store, key, key.spare)
    yield answer(_changed(result, store, key, key.spare))
