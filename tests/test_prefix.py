"""The prompt core's KV cache on disk: whole files or none, and never a reason to fail."""

import os
from pathlib import Path

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.engine.prefix import PrefixStore, common_prefix, fingerprint

TOKENS = [5, 6, 7, 8, 9]


def state(tokens: int = len(TOKENS), layers: int = 2, dtype: mx.Dtype = mx.float32) -> list:
    # A slice of a longer buffer, as the caches of a model give it.
    mx.random.seed(1)
    whole = [mx.random.normal((1, 2, tokens + 3, 4)).astype(dtype) for _ in range(2 * layers)]
    cut = [a[..., :tokens, :] for a in whole]
    return list(zip(cut[::2], cut[1::2], strict=True))


def same(a: list, b: list) -> bool:
    return len(a) == len(b) and all(
        x.dtype == y.dtype and mx.array_equal(x, y).item()
        for left, right in zip(a, b, strict=True)
        for x, y in zip(left, right, strict=True)
    )


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_common_prefix(start, a, b):
    n = common_prefix(start + a, start + b)
    assert n >= len(start)
    assert (start + a)[:n] == (start + b)[:n]
    assert n == min(len(start + a), len(start + b)) or (start + a)[n] != (start + b)[n]


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
def test_what_was_saved_is_loaded(tmp_path, dtype):
    store = PrefixStore(tmp_path / "prefix", ["m"])
    assert store.load(TOKENS, 2) is None
    assert store.save(TOKENS, state(dtype=dtype))
    loaded = store.load(TOKENS, 2)
    assert loaded is not None
    assert same(loaded, state(dtype=dtype))
    assert list((tmp_path / "prefix").iterdir()) == [store.path(TOKENS)]


def test_each_identity_and_each_prefix_has_a_file_of_its_own(tmp_path):
    paths = {
        PrefixStore(tmp_path, identity).path(tokens)
        for identity in (["m"], ["m", ""], ["n"])
        for tokens in (TOKENS, TOKENS[:4])
    }
    assert len(paths) == 6


def cut(data: bytes) -> bytes:
    return data[:-100]


def flip(data: bytes) -> bytes:
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


def empty(data: bytes) -> bytes:
    return b""


def garbage(data: bytes) -> bytes:
    return b"no safetensors" * 50


@pytest.mark.parametrize("damage", [cut, flip, empty, garbage])
def test_a_damaged_file_is_deleted_and_built_again(tmp_path, damage, caplog):
    store = PrefixStore(tmp_path, ["m"])
    store.save(TOKENS, state())
    path = store.path(TOKENS)
    path.write_bytes(damage(path.read_bytes()))
    assert store.load(TOKENS, 2) is None
    assert not path.exists()
    assert [record.message.split(",")[0] for record in caplog.records] == [f"prefix cache {path.name} is damaged"]
    assert store.save(TOKENS, state())
    assert store.load(TOKENS, 2) is not None


@pytest.mark.parametrize("other", [state(tokens=4), state(layers=1), state(layers=3)])
def test_a_file_of_another_shape_is_not_taken(tmp_path, other):
    store = PrefixStore(tmp_path, ["m"])
    store.save(TOKENS, other)
    assert store.load(TOKENS, 2) is None
    assert not store.path(TOKENS).exists()


def test_the_file_used_longest_ago_goes_first(tmp_path):
    store = PrefixStore(tmp_path, ["m"], max_files=2)
    for age, tokens in enumerate(([1, 2], [3, 4])):
        store.save(tokens, state(tokens=2))
        os.utime(store.path(tokens), (1000 + age, 1000 + age))
    # Using the older one makes it the newer one.
    assert store.load([1, 2], 2) is not None
    store.save([5, 6], state(tokens=2))
    assert {path.name for path in tmp_path.iterdir()} == {store.path([1, 2]).name, store.path([5, 6]).name}


def test_the_total_size_is_bounded(tmp_path):
    one = PrefixStore(tmp_path, ["m"])
    one.save(TOKENS, state())
    size = one.path(TOKENS).stat().st_size
    small = PrefixStore(tmp_path, ["n"], max_bytes=size + 10)
    assert small.save(TOKENS, state())
    assert list(tmp_path.iterdir()) == [small.path(TOKENS)]
    assert not PrefixStore(tmp_path, ["o"], max_bytes=100).save(TOKENS, state())


def test_parts_of_killed_writers_go_when_they_are_old(tmp_path):
    old, new = tmp_path / ".old.1.safetensors", tmp_path / ".new.2.safetensors"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    PrefixStore(tmp_path, ["m"], max_files=1).save(TOKENS, state())
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = PrefixStore(tmp_path / "file" / "prefix", ["m"])
    assert not store.save(TOKENS, state())
    assert store.load(TOKENS, 2) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_no_error_and_leaves_nothing(tmp_path):
    store = PrefixStore(tmp_path, ["m"])
    part = tmp_path / f".{store.path(TOKENS).stem}.{os.getpid()}.safetensors"
    part.symlink_to("/dev/full")
    assert not store.save(TOKENS, state())
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_follows_weights_and_configs(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = fingerprint(tmp_path)
    assert first == fingerprint(tmp_path)
    assert fingerprint(None) == ""
    (tmp_path / "config.json").write_text('{"a": 1}')
    second = fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert len({first, second, fingerprint(tmp_path)}) == 3
