"""A film of a small torus: its frames are the sampled trajectory, and a mistake is one sentence."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from lattice_ml.cli.entry import CONF
from lattice_ml.cli.film import shoot, trajectory
from lattice_ml.cli.sample import check_sampling
from lattice_ml.figures.archive import load
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.sampler import Lane

SHORT = (
    "movie=true",
    "ensemble.protocol.waiting=4",
    "film.frames=4",
    "film.spacing=4",
    "film.seconds=1",
    "sampler.device=cpu",
)


def filmed(tmp_path, *words):
    """The film that sample.py draws of these words."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("sample", [*SHORT, f"paths.runs={tmp_path}", f"paths.stores={tmp_path}", *words])
    sampling = check_sampling(config)
    assert sampling.movie
    return shoot(sampling.ensemble, sampling.film, tmp_path)


def frames_of(path):
    with Image.open(path) as film:
        return film.n_frames, [film.seek(k) or np.asarray(film.convert("RGB")) for k in range(film.n_frames)]


def test_a_film_of_a_flock(tmp_path):
    path = filmed(tmp_path, "ensemble=aim_toy")
    assert path == tmp_path / "movies" / "aim_toy-T0.44-rho03-replica0.gif"
    arrays = load(path.with_suffix(".npz"))
    assert arrays["fields"].shape == (4, 2, 81, 9)
    assert arrays["channels"].tolist() == ["magnetisation", "density"]
    assert arrays["time"].tolist() == [0, 4, 8, 12]
    assert np.all(arrays["fields"][:, 1].sum(axis=(1, 2)) == 3 * 81 * 9)
    number, pictures = frames_of(path)
    assert number == 4
    assert all((one != pictures[0]).any() for one in pictures[1:])
    assert not (tmp_path / "aim_toy-seed0.zarr").exists(), "no store is made"


def test_any_system_is_filmed(tmp_path):
    path = filmed(tmp_path, "ensemble=ising_toy", "system=ising", "sampler=ising", "film.point=0")
    arrays = load(path.with_suffix(".npz"))
    assert arrays["fields"].shape[:2] == (4, 1)
    assert frames_of(path)[0] > 1


def test_a_frame_is_what_the_trajectory_shows():
    from lattice_ml.systems.active_ising.physics import ActiveIsing
    from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler

    system, sampler = ActiveIsing((9, 9)), ActiveIsingSampler(device="cpu")
    lane = Lane({"T": 0.5, "rho0": 2.0}, 1, (4.0, 8.0))
    fields = trajectory(system, sampler, lane, 7, "ordered")
    states = sampler.sample(system, [lane], 7, "ordered", lambda _: None)[0].astype(int)
    assert np.array_equal(fields[:, 0], states[:, 0] - states[:, 1])
    assert np.array_equal(fields[:, 1], states.sum(axis=1))


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("ensemble=aim_toy", "film.point=9"), "give 0 to 8"),
        (("ensemble=aim_toy", "shard=0/2"), "leave out shard"),
        (("ensemble=aim_sizes",), "several tori"),
        (("ensemble=aim_toy", "film.frames=1"), "film.frames"),
        (("ensemble=aim_toy", "+film.frame=3"), "film.frames"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, words, cure):
    with pytest.raises(UserError, match=cure):
        filmed(tmp_path, *words)
