import pytest
import torch

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.autoencoder import TorusAutoencoder
from lattice_ml.nets.encoders import SeriesEncoder, TorusEncoder, coarser
from lattice_ml.nets.variational_encoder import VariationalEncoder


@pytest.mark.parametrize("extents", [(81, 9), (60, 4), (32, 32), (7, 5), (2, 2)])
def test_any_torus_is_read_and_drawn(extents):
    net = TorusAutoencoder(2, extents, outputs=3, latents=2, features=16)
    found = net.encode(torch.randn(4, 2, *extents))
    assert found.mean.shape == found.log_sigma.shape == (4, 2)
    assert net.decode(found.mean).shape == (4, 3, *extents)


def test_a_coarser_torus_is_rounded_up():
    assert coarser((81, 10), 3, 3) == [(81, 10), (27, 4), (9, 2), (3, 1)]
    with pytest.raises(UserError, match="stages"):
        coarser((9, 9), 0, 3)


def test_the_torus_has_no_seam():
    """A shift by a block at every stage moves what the last stage sees, and nothing else."""
    encoder = TorusEncoder((1, 27, 9), stages=2)
    x = torch.randn(1, 1, 27, 9)

    def last(x: torch.Tensor) -> torch.Tensor:
        seen = []
        hook = encoder.standardise.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        encoder(x)
        hook.remove()
        return seen[0].view(16, 3, 1)

    torch.testing.assert_close(last(x.roll(9, 2)), last(x).roll(1, 1))


def test_small_differences_between_configurations_are_seen_and_a_batch_of_one_is_taken():
    torch.manual_seed(0)
    encoder = TorusEncoder((1, 9, 9), stages=2)
    x = torch.ones(32, 1, 9, 9) + 2e-2 * torch.randn(32, 1, 1, 1)
    assert encoder(x).std(0).max() > 0.1  # ten times less without
    encoder(x[:1])
    encoder.eval()
    torch.testing.assert_close(encoder(x)[:1], encoder(x[:1]))


def test_a_bottleneck_is_needed():
    with pytest.raises(UserError, match="latents"):
        TorusAutoencoder(1, (9, 9), 1, latents=0)
    with pytest.raises(UserError, match="latents"):
        VariationalEncoder(SeriesEncoder, (50,), 1, 1, latents=0)
    with pytest.raises(UserError, match="widths"):
        SeriesEncoder((50,), [])


def test_an_answer_depends_on_latents_and_query_alone():
    net = VariationalEncoder(SeriesEncoder, (50,), queries=2, outputs=3, latents=2, hidden=8, depth=2)
    z, query = torch.randn(4, 2), torch.randn(4, 5, 2)
    answer = net.answer(z, query)
    assert answer.shape == (4, 5, 3)
    alone = net.answer(z[2:3], query[2:3, 4:])
    torch.testing.assert_close(answer[2:3, 4:], alone)
    assert not torch.allclose(answer[:, 0], net.answer(z + 1, query)[:, 0])
