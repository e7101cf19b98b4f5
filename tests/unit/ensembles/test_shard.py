"""Shards are a partition, whatever their number."""

from itertools import chain

import pytest

from lattice_ml.ensembles.shard import Shard, parse_shard


@pytest.mark.parametrize("parts", [1, 2, 7, 10, 12])
def test_every_chunk_is_in_one_shard_and_sizes_differ_by_one_at_most(parts):
    shards = [Shard(number, parts).of(range(10)) for number in range(parts)]
    assert sorted(chain.from_iterable(shards)) == list(range(10))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_is_read_from_the_command_line():
    assert parse_shard(None) is None
    assert parse_shard("0/8") == Shard(0, 8)
    assert str(parse_shard("7/8")) == "shard 7/8"


@pytest.mark.parametrize("text", ["8/8", "-1/8", "1", "1/0", "a/b", "1/8/2", "", 3, "½/2"])
def test_what_is_no_shard_is_refused(text, refused):
    assert "e.g. shard=0/8" in refused(parse_shard, text)
