"""What is broken in a store is named, never read as data, and made anew to the same bits; the rest is not touched."""

import dataclasses
import errno
import json
import os
import shutil

import google_crc32c
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from lattice_ml.ensembles import layout
from lattice_ml.ensembles.claims import FOLDER, Claims
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.repair import repair
from lattice_ml.ensembles.store import done_chunks, open_ensemble, prepare_store
from lattice_ml.ground.atomic import AtomicStore

CHUNK = "configurations/c.3.0.0.0.0.0"


@pytest.fixture
def whole(tmp_path, system, sampler, plan):
    generate(system, sampler, plan, tmp_path / "toy.zarr", threads=1)
    sampler.calls.clear()
    return tmp_path / "toy.zarr"


@pytest.fixture
def old(tmp_path, system, sampler, plan, monkeypatch):
    """A store from before there were checksums."""
    with monkeypatch.context() as patch:
        before = zarr.Group.create_array

        def without(self, *arguments, **options):
            blosc = [codec for codec in options["compressors"] if isinstance(codec, BloscCodec)]
            return before(self, *arguments, **options | {"compressors": blosc or None})

        patch.setattr(zarr.Group, "create_array", without)
        generate(system, sampler, plan, tmp_path / "toy.zarr", threads=1)
    sampler.calls.clear()
    return tmp_path / "toy.zarr"


def content(path):
    """Every file with its time."""
    return {
        str(file.relative_to(path)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in path.rglob("*")
        if file.is_file()
    }


def flip(path, place=0.5):
    broken = bytearray(path.read_bytes())
    broken[int(len(broken) * place)] ^= 4
    path.write_bytes(broken)


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def empty(path):
    path.write_bytes(b"")


def edit(path, change):
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


BREAKS = {
    "a flipped byte": (CHUNK, flip, "checksum"),
    "a flipped bit of the checksum": (CHUNK, lambda path: flip(path, 0.99), "checksum"),
    "a truncated chunk": (CHUNK, cut, "checksum"),
    "an empty chunk": (CHUNK, empty, "empty"),
    "a flipped byte of a coordinate": ("T/c.0", flip, "checksum"),
    "a truncated coordinate": ("time/c.0.0", cut, "checksum"),
    "a coordinate that is gone": ("replica/c.0", os.unlink, "missing"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_object_is_one_sentence_and_is_mended_alone(what, whole, system, sampler, plan, refused, capsys):
    name, damage, says = BREAKS[what]
    before = content(whole)
    damage(whole / name)

    sentence = refused(lambda: open_ensemble(whole).load())
    assert str(whole / name) in sentence
    assert says in sentence
    assert "python sample.py ensemble=toy repair=true" in sentence

    capsys.readouterr()
    repair(system, sampler, plan, whole)
    said = capsys.readouterr().out
    assert f"broken: {name}" in said
    assert f"mended {name}" in said
    after = content(whole)
    assert {key: file for key, (file, _) in after.items()} == {key: file for key, (file, _) in before.items()}
    assert {key for key in after if after[key] != before[key]} == {name}
    assert sampler.calls == ([(plan.points[3], [0, 1, 2])] if name == CHUNK else [])


def test_any_single_bit_of_a_chunk_counts(whole, refused):
    good = (whole / CHUNK).read_bytes()
    for bit in range(0, 8 * len(good), 29):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (whole / CHUNK).write_bytes(bad)
        assert CHUNK in refused(lambda: open_ensemble(whole)["configurations"][3].values)


def test_other_chunks_can_still_be_read(whole, plan):
    intact = open_ensemble(whole)["configurations"][2].values
    flip(whole / CHUNK)
    np.testing.assert_array_equal(open_ensemble(whole)["configurations"][2].values, intact)


def test_without_repair_a_broken_chunk_stays_as_it_is(whole, system, sampler, plan):
    flip(whole / CHUNK)
    before = content(whole)
    generate(system, sampler, plan, whole)
    assert content(whole) == before


def test_a_sound_store_is_not_written_to(whole, system, sampler, plan, capsys):
    before = content(whole)
    capsys.readouterr()
    repair(system, sampler, plan, whole)
    assert content(whole) == before
    said = capsys.readouterr().out
    assert "6 chunks, coordinates and metadata are sound, nothing is broken" in said
    assert "checking toy" in said
    assert sampler.calls == []
    assert not (whole / FOLDER).exists()


def test_several_broken_things_and_a_missing_chunk_at_once(whole, system, sampler, plan, capsys):
    before = content(whole)
    flip(whole / CHUNK)
    cut(whole / "configurations/c.1.0.0.0.0.0")
    (whole / "configurations/c.5.0.0.0.0.0").unlink()
    flip(whole / "rho0/c.0")
    empty(whole / "time/zarr.json")
    repair(system, sampler, plan, whole)
    said = capsys.readouterr().out
    assert "broken: rho0/c.0, time/zarr.json, configurations/c.1.0.0.0.0.0 (its checksum" in said
    assert sorted(plan.points.index(point) for point, _ in sampler.calls) == [1, 3, 5]
    assert {key: file for key, (file, _) in content(whole).items()} == {k: file for k, (file, _) in before.items()}


@pytest.mark.parametrize("key", ["created", "commit", "package_version"])
def test_a_lost_word_of_provenance_is_named_and_left_unknown(key, whole, system, sampler, plan, refused):
    edit(whole / "zarr.json", lambda metadata: metadata["attributes"].pop(key))
    sentence = refused(open_ensemble, whole)
    assert f"{whole}/zarr.json lacks the attribute {key}: mend it" in sentence
    kept = json.loads((whole / "zarr.json").read_text())["attributes"]
    repair(system, sampler, plan, whole)
    assert open_ensemble(whole).attrs == {**kept, key: "unknown"}
    assert sampler.calls == []


@pytest.mark.parametrize("key", ["schema", "system", "plan", "sampler", "plan.seed", "plan.protocol"])
def test_a_lost_attribute_is_named_and_comes_back(key, whole, system, sampler, plan, refused):
    before = content(whole)
    outer, _, inner = key.partition(".")
    edit(whole / "zarr.json", lambda m: m["attributes"][outer].pop(inner) if inner else m["attributes"].pop(outer))
    for asked in (open_ensemble, lambda path: prepare_store(path, system, sampler, plan)):
        assert f"zarr.json lacks the attribute {key}: mend it" in refused(asked, whole)
    repair(system, sampler, plan, whole)
    assert {name: file for name, (file, _) in content(whole).items()} == {k: file for k, (file, _) in before.items()}
    assert len(sampler.calls) == (key != "schema")  # a chunk has proved that the command is the right one


@pytest.mark.parametrize("damage", [empty, cut, os.unlink], ids=["empty", "cut", "gone"])
def test_a_root_that_is_lost_comes_back_without_its_provenance(damage, whole, system, sampler, plan, refused):
    before = content(whole)
    damage(whole / "zarr.json")
    assert "repair=true" in refused(prepare_store, whole, system, sampler, plan)
    repair(system, sampler, plan, whole)
    after = content(whole)
    assert {key for key in before if after[key] != before[key]} == {"zarr.json"}
    attributes = open_ensemble(whole).attrs
    assert [attributes[key] for key in ("created", "commit", "package_version")] == ["unknown"] * 3
    assert attributes["plan"] == plan.attributes()


@pytest.mark.parametrize("change", [{"seed": 8}, {"points": ({"T": 0.4, "rho0": 2.0},) * 6}])
def test_another_command_cannot_take_over_a_store_that_has_lost_its_attributes(
    change, whole, system, sampler, plan, refused
):
    (whole / "zarr.json").unlink()
    before = content(whole)
    other = dataclasses.replace(plan, seed=8) if "seed" in change else dataclasses.replace(plan, points=warmer(plan))
    sentence = refused(repair, system, sampler, other, whole)
    assert "give the settings that the store was made with" in sentence
    assert content(whole) == before


def warmer(plan):
    return tuple({**point, "T": round(point["T"] + 0.1, 10)} for point in plan.points)


def test_a_store_of_another_command_is_not_repaired(whole, system, sampler, plan, refused):
    flip(whole / CHUNK)
    before = content(whole)
    assert "seed = 7, not for 8" in refused(repair, system, sampler, dataclasses.replace(plan, seed=8), whole)
    assert content(whole) == before


def test_a_newer_schema_is_named_and_not_repaired(whole, system, sampler, plan, refused):
    edit(whole / "zarr.json", lambda metadata: metadata["attributes"].update(schema="lattice_ml.ensemble/99"))
    before = content(whole)
    for asked in (lambda: open_ensemble(whole), lambda: repair(system, sampler, plan, whole)):
        sentence = refused(asked)
        assert f"{whole} is written in version 99" in sentence
        assert "upgrade" in sentence
    assert content(whole) == before


@pytest.mark.parametrize("file", ["configurations/zarr.json", "T/zarr.json", "species/zarr.json"])
def test_the_metadata_of_an_array_come_back_from_its_other_copy(file, whole, system, sampler, plan):
    before = content(whole)
    edit(whole / file, lambda metadata: metadata.pop("attributes"))
    edit(whole / "zarr.json", lambda m: m["consolidated_metadata"]["metadata"]["time"].update(shape=[7, 2]))
    repair(system, sampler, plan, whole)
    assert {name: content for name, (content, _) in content(whole).items()} == {k: c for k, (c, _) in before.items()}
    assert sampler.calls == []


def test_what_we_do_not_know_is_kept(whole, system, sampler, plan):
    edit(whole / "zarr.json", lambda metadata: metadata["attributes"].update(weather="rain"))
    edit(whole / "zarr.json", lambda metadata: metadata["attributes"].pop("sampler"))
    repair(system, sampler, plan, whole)
    assert open_ensemble(whole).attrs["weather"] == "rain"


def test_configurations_that_break_a_law_are_sampled_anew(whole, system, sampler, plan, capsys):
    """A whole chunk with a whole checksum, of a sampler that lost a particle."""
    before = content(whole)
    array = zarr.open_array(AtomicStore(whole), path="configurations", mode="r+")
    states = array[3]
    states[1, 0].flat[states[1, 0].argmax()] -= 1
    array[3] = states
    repair(system, sampler, plan, whole)
    assert f"{CHUNK} (it breaks a conservation law)" in capsys.readouterr().out
    assert {key: file for key, (file, _) in content(whole).items()} == {key: file for key, (file, _) in before.items()}


def test_a_store_that_others_sample_into_is_left_to_them(whole, system, sampler, plan, refused):
    flip(whole / CHUNK)
    (whole / "configurations/c.5.0.0.0.0.0").unlink()
    other = Claims(whole)
    assert "is being sampled" in refused(repair, system, sampler, plan, whole)
    assert len(done_chunks(whole)) == 5
    other.leave()
    repair(system, sampler, plan, whole)
    assert len(done_chunks(whole)) == 6


def test_nothing_to_repair_is_one_sentence(tmp_path, system, sampler, plan, refused):
    assert "leave out repair=true" in refused(repair, system, sampler, plan, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_disk_that_fills_up_in_a_repair_loses_nothing_that_was_sound(
    whole, system, sampler, plan, refused, monkeypatch
):
    before = content(whole)
    flip(whole / CHUNK)
    flip(whole / "T/c.0")

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "disk is full" in refused(repair, system, sampler, plan, whole)
    kept = content(whole)
    assert {key for key in before if kept[key] != before[key]} == {CHUNK, "T/c.0"}
    assert not (whole / FOLDER).exists()
    repair(system, sampler, plan, whole)
    assert {key: file for key, (file, _) in content(whole).items()} == {key: file for key, (file, _) in before.items()}


def test_an_old_store_opens_and_goes_on_without_checksums(old, system, sampler, plan, tmp_path, capsys):
    before = content(old)
    (old / CHUNK).unlink()
    generate(system, sampler, plan, old)
    assert {key: file for key, (file, _) in content(old).items()} == {key: file for key, (file, _) in before.items()}
    generate(system, sampler, plan, tmp_path / "new.zarr")
    np.testing.assert_array_equal(
        open_ensemble(old)["configurations"], open_ensemble(tmp_path / "new.zarr")["configurations"]
    )
    repair(system, sampler, plan, old)
    assert "its chunks have no checksums" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "damage"), [(CHUNK, cut), (CHUNK, empty), ("T/c.0", cut), (CHUNK, lambda p: flip(p, 0.3))]
)
def test_what_can_be_found_in_an_old_store_is_mended_without_checksums_too(
    name, damage, old, system, sampler, plan, refused
):
    before = content(old)
    damage(old / name)
    if damage in (cut, empty):
        assert str(old / name) in refused(lambda: open_ensemble(old).load())
    (old / "configurations/zarr.json").unlink()
    edit(old / "zarr.json", lambda m: m["consolidated_metadata"]["metadata"].pop("configurations"))
    repair(system, sampler, plan, old)
    assert {key: file for key, (file, _) in content(old).items()} == {key: file for key, (file, _) in before.items()}


def test_the_checksum_is_the_published_one(whole):
    """CRC-32C of the nine digits (RFC 3720, appendix B.4, and its catalogue entry), and at the end of every object."""
    assert google_crc32c.value(b"123456789") == 0xE3069283
    for file in whole.rglob("c.*"):
        stored = file.read_bytes()
        assert google_crc32c.value(stored[:-4]) == int.from_bytes(stored[-4:], "little")
    assert json.loads((whole / CHUNK).with_name("zarr.json").read_text())["codecs"][-1] == {"name": "crc32c"}
    assert layout.VERSION == 1


def test_a_copy_without_lock_is_repaired_as_well(whole, system, sampler, plan, tmp_path):
    shutil.copytree(whole, tmp_path / "copy", ignore=shutil.ignore_patterns(".lattice_ml.*"))
    flip(tmp_path / "copy" / CHUNK)
    repair(system, sampler, plan, tmp_path / "copy")
    assert (tmp_path / "copy" / CHUNK).read_bytes() == (whole / CHUNK).read_bytes()
