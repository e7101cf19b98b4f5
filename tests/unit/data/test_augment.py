from pathlib import Path

import torch
import yaml

from lattice_ml.cli.recipes import with_recipes
from lattice_ml.data.augment import Chain, TorusShift, _shift_blocks, _shift_sites
from lattice_ml.data.particles import Gas, Thin

CONF = Path(__file__).parents[3] / "conf"


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_configuration_is_moved_by_a_translation_of_the_torus():
    states = torch.randint(0, 200, (12, 2, 9, 7), generator=generator(0), dtype=torch.uint8)
    moved = TorusShift()(states, generator(1))
    assert moved.dtype == torch.uint8
    found = []
    for before, after in zip(states, moved, strict=True):
        shifts = [(dx, dy) for dx in range(9) for dy in range(7) if torch.equal(before.roll((dx, dy), (1, 2)), after)]
        assert len(shifts) == 1
        found += shifts
    assert len(set(found)) > 6  # each by its own


def test_shifts_are_uniform():
    states = torch.zeros(6000, 1, 3, 2, dtype=torch.uint8)
    states[:, :, 0, 0] = 1
    counts = TorusShift()(states, generator(2)).sum(dim=(0, 1)).double()
    # Each of the 6 shifts is binomial with mean 1000, variance 6000 · 1/6 · 5/6: within five standard deviations.
    assert (counts - 1000).abs().max() < 5 * (6000 * 5 / 36) ** 0.5


def test_the_same_generator_gives_the_same_shifts():
    states = torch.arange(4 * 9 * 9).view(4, 1, 9, 9)
    assert torch.equal(TorusShift()(states, generator(3)), TorusShift()(states, generator(3)))


def test_the_cpu_and_the_gpu_way_of_shifting_are_one_function():
    states = torch.randint(0, 300, (8, 2, 9, 7), generator=generator(4), dtype=torch.int16)
    dx, dy = torch.randint(9, (8, 1), generator=generator(5)), torch.randint(7, (8, 1), generator=generator(6))
    dx[0], dy[0], dx[1], dy[2] = 0, 0, 0, 0
    by_roll = torch.stack([s.roll((int(i), int(j)), (1, 2)) for s, i, j in zip(states, dx, dy, strict=True)])
    assert torch.equal(_shift_blocks(states, dx, dy), by_roll)
    assert torch.equal(_shift_sites(states, dx, dy), by_roll)


def test_a_chain_is_one_step_after_the_other_from_one_generator():
    states = torch.randint(0, 9, (6, 2, 9, 9), generator=generator(7), dtype=torch.uint8)
    steps = [TorusShift(), Thin(0.4), Gas(1.0)]
    by_hand, drawn = states, generator(8)
    for step in steps:
        by_hand = step(by_hand, drawn)
    assert torch.equal(Chain(steps)(states, generator(8)), by_hand)
    assert not torch.equal(Chain(steps[::-1])(states, generator(8)), by_hand)
    assert Chain([])(states, generator(8)) is states


def test_a_chain_keeps_the_order_that_it_was_given():
    chain = Chain([lambda states, _: states + 1, lambda states, _: states * 10])
    assert chain(torch.zeros(1, 1, 1, 1), generator(0)).item() == 10


def test_the_configuration_of_particles_shifts_thins_and_adds_a_gas():
    section = yaml.safe_load((CONF / "data" / "particles.yaml").read_text())["augment"]
    chain = with_recipes(section, trusted=False)()
    assert [type(step) for step in chain.steps] == [TorusShift, Thin, Gas]
    assert (chain.steps[1].lowest, chain.steps[2].highest) == tuple(
        section["steps"][k][name] for k, name in ((1, "lowest"), (2, "highest"))
    )
